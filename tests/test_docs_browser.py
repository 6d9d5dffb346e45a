"""The documentation in a browser, page by page: `make test-browser` builds it and opens it."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

HTML = Path(__file__).resolve().parents[1] / "docs" / "_build" / "html"
PAGES = [path for path in sorted(HTML.rglob("*.html")) if "_static" not in path.parts]
WIDTHS = 1400, 390  # pixels, of a desk and of a phone

pytestmark = [
    pytest.mark.skipif(not PAGES, reason="no docs/_build/html: make docs builds it"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own process
]

# What may be wider than its box, which then scrolls, or ends in three dots.
SCROLLING = """pre, math, .pst-scrollable-table-container, figure:has(.wide), .scrolls,
    .output_html, .ellipsis"""

LOOK = """() => {
    const every = (what) => [...document.querySelectorAll(what)];
    const images = every("img");
    const says = (image) => image.alt.trim() || !image.closest("main");  // not the logo
    return {
        theme: document.documentElement.dataset.theme,
        links: every("a[href]").map((link) => link.href),
        anchors: every("[id]").map((element) => element.id),
        missing: images.filter((image) => !image.naturalWidth).map((image) => image.src),
        mute: images.filter((image) => !says(image)).map((image) => image.src),
    };
}"""

WIDE = """(scrolling) => [...document.querySelectorAll("html, main, main *")]
    .filter((box) => box.scrollWidth > box.clientWidth + 1 && !box.matches(scrolling))
    .filter((box) => box.matches("html") || getComputedStyle(box).overflowX !== "visible")
    .map((box) => `${box.localName}.${box.className}`)"""

# Text against what lies behind it, by the contrast of WCAG 2: from 1, unreadable, to 21.
PALE = """(least) => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const linear = (c) => c <= 10.31 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) =>
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
    const behind = (element) => {
        const color = numbers(getComputedStyle(element).backgroundColor);
        return (color[3] ?? 1) > 0.5 ? color : behind(element.parentElement);
    };
    const contrast = (element) => {
        const text = numbers(getComputedStyle(element).color);
        const [a, b] = [text, behind(element)].map(luminance);
        return Math.max(a / b, b / a);
    };
    const says = ({ childNodes }) => [...childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    return [...document.querySelectorAll("main *")]
        .filter((element) => says(element) && element.checkVisibility())
        .filter((element) => contrast(element) < least)
        .map((element) => element.innerText);
}"""


ANSWERS = {
    "pandas": "stages",
    "categorical": "stages",
    "epistemic": "error_bars",
    "GPU": "trainers",
    "multi-output": "examples/plot_07_outputs",
    "install": "install",
    "MACE": "mace",
    "LAMMPS": "engines",
    "ensemble": "coming_from",
}
FOUND = "#search-results ul.search > li > a"


@pytest.fixture(scope="module", params=["light", "dark"])
def visits(request, chromium):
    """What every page shows at each width, asks for, and what the browser complains of."""
    context = chromium.new_context(offline=True, color_scheme=request.param)
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    found = {}
    for path in PAGES:
        asked.clear(), complaints.clear()
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        page.goto(path.as_uri())
        seen = page.evaluate(LOOK) | {"pale": page.evaluate(PALE, 3)}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            seen[f"wider than {width}"] = page.evaluate(WIDE, SCROLLING)
        assert seen["theme"] == request.param
        found[path] = seen | {"asked": asked[:], "complaints": complaints[:]}
    yield found
    context.close()


def every(visits, what):
    """Of all pages, what each has too much of: nothing, if all is well."""
    return {path.name: seen[what] for path, seen in visits.items() if seen[what]}


def test_the_browser_complains_of_nothing(visits):
    assert every(visits, "complaints") == {}


def test_pages_ask_for_nothing_but_files_of_the_documentation(visits):
    asked = {url.split("?")[0] for seen in visits.values() for url in seen["asked"]}
    ours = HTML.as_uri(), "data:"
    assert [url for url in asked if not url.startswith(ours)] == []


def test_pictures_are_there_and_say_what_they_show(visits):
    assert every(visits, "missing") == {}
    assert every(visits, "mute") == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(visits, width):
    assert every(visits, f"wider than {width}") == {}


def test_text_stands_out_from_what_lies_behind_it(visits):
    assert every(visits, "pale") == {}


def test_links_lead_to_pages_and_to_anchors_that_are_there(visits):
    anchors = {path.as_uri(): set(seen["anchors"]) for path, seen in visits.items()}
    dead = set()
    for path, seen in visits.items():
        for link in filter(lambda link: link.startswith("file:"), seen["links"]):
            page, _, anchor = link.partition("#")
            there = page in anchors or Path(unquote(urlsplit(page).path)).is_file()
            if not there or unquote(anchor) not in anchors.get(page, set()) | {""}:
                dead.add(f"{path.name}: {link}")
    assert dead == set()


def test_search_finds_the_page_that_answers(chromium):
    page = chromium.new_page()
    missed = {}
    for word, answer in ANSWERS.items():
        page.goto(f"{(HTML / 'search.html').as_uri()}?q={word}")
        page.wait_for_selector(FOUND)
        page.wait_for_function("document.querySelector('.search-summary').innerText.match(/found/)")
        hits = page.eval_on_selector_all(FOUND, "links => links.map((link) => link.href)")
        pages = [re.split(r"[?#]", hit.removeprefix(f"{HTML.as_uri()}/"))[0] for hit in hits]
        if f"{answer}.html" not in list(dict.fromkeys(pages))[:3]:
            missed[word] = pages[:3]
    page.close()
    assert missed == {}
