"""The page in a browser, opened from the disk: `make test-browser` says what that needs."""

import pytest

pytest.importorskip("ase")

from ltau.plotting import write_report

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # of playwright's own process


@pytest.fixture
def opened(chromium, frames, tmp_path):
    """The page, which must load nothing, run nothing of the frames and complain of nothing."""
    frames[0].info["reason"] = "</script><script>console.log('run')</script>"
    write_report(tmp_path / "report.html", frames, truth=frames, title="<b>&</b>")
    context = chromium.new_context(offline=True, viewport={"width": 1100, "height": 1400})
    page = context.new_page()
    complaints, loaded = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: loaded.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    assert complaints == []
    assert loaded == [(tmp_path / "report.html").as_uri()]
    context.close()


def said(page):
    return page.inner_text("#said")


def colors(page, canvas):
    """How many colours a canvas shows."""
    return page.evaluate(
        """(id) => {
            const canvas = document.getElementById(id), { width, height } = canvas;
            const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            return new Set(new Uint32Array(pixels.buffer)).size;
        }""",
        canvas,
    )


def click(page, canvas, spot):
    page.click(f"#{canvas}", position={"x": spot["x"], "y": spot["y"]})


def test_the_most_uncertain_atom_is_shown_first(opened, frames):
    errors = [atoms.arrays["forces_uncertainty"] for atoms in frames[:2]]
    frame = int(errors[1].max() > errors[0].max())
    assert f"Frame {frame}, atom {errors[frame].argmax()} " in said(opened)
    assert all(colors(opened, canvas) > 20 for canvas in ("map", "structure", "timeline"))
    assert opened.inner_text("h1") == "<b>&</b>"


def test_an_atom_is_clicked_on_the_map_and_in_the_structure(opened, frames):
    # The dot that is farthest from others, so that a click means it alone.
    alone = opened.evaluate(
        """() => {
            const dots = report.map.dots.filter((dot) => dot.frame === 1);
            const room = (dot) => Math.min(...report.map.dots.filter((d) => d !== dot)
              .map((d) => Math.hypot(d.x - dot.x, d.y - dot.y)));
            return dots.reduce((a, b) => room(b) > room(a) ? b : a);
        }"""
    )
    click(opened, "map", alone)
    error = frames[1].arrays["forces_uncertainty"][alone["atom"]]
    assert f"Frame 1, atom {alone['atom']} (" in said(opened)
    assert f"Expected error {error:.3g} eV/Å" in said(opened)
    front = opened.evaluate(
        """() => {
            const atoms = report.structure.atoms.map((each, atom) => ({ ...each, atom }));
            return atoms.reduce((a, b) => b.z > a.z ? b : a);
        }"""
    )
    click(opened, "structure", front)
    symbol = frames[1].symbols[front["atom"]]
    assert f"Frame 1, atom {front['atom']} ({symbol})" in said(opened)


def test_a_structure_is_turned_and_coloured_by_other_numbers(opened):
    before = opened.evaluate("report.structure.turned")
    box = opened.locator("#structure").bounding_box()
    opened.mouse.move(box["x"] + 50, box["y"] + 50)
    opened.mouse.down()
    opened.mouse.move(box["x"] + 120, box["y"] + 90)
    opened.mouse.up()
    assert opened.evaluate("report.structure.turned") != before
    opened.select_option("#color", "ood_score")
    assert float(opened.inner_text("#low")) >= 0.8
    opened.select_option("#x", "forces_error")
    assert opened.evaluate("report.map.x") == "forces_error"


def test_a_click_on_the_time_line_shows_the_frame(opened):
    at = opened.evaluate("report.timeline.x.place(2)")
    click(opened, "timeline", {"x": at - 2, "y": 40})
    assert said(opened) == "Frame 2: 1 atom."
    opened.click("#after")
    assert said(opened).startswith("Frame 0: 4 atoms. Stopped at </script><script>")
    opened.click("tbody button >> nth=1")
    assert "atom" in said(opened)


def test_a_run_whose_frames_tell_no_steps_is_drawn_without_a_mark(chromium, frames, tmp_path):
    table = tmp_path / "run.csv"
    table.write_text("step,forces_uncertainty_max,ood_score_max\n0,1,2\n10,3,4\n", "utf-8")
    write_report(tmp_path / "report.html", frames, table=table)
    page = chromium.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    shown = said(page)
    page.click("#timeline", position={"x": 100, "y": 40})
    assert said(page) == shown
    assert colors(page, "timeline") > 20
    assert complaints == []
    page.close()


def test_a_narrow_window_has_all_views(opened):
    opened.set_viewport_size({"width": 400, "height": 900})
    assert opened.locator("#structure").bounding_box()["width"] > 300
    assert all(colors(opened, canvas) > 20 for canvas in ("map", "structure", "timeline"))
