"""Pages of HTML that need no other file."""

from html.parser import HTMLParser

import pytest

from ltau._pages import definitions, document, section, table


def elements(text):
    """Tags that are opened and closed, with the text between them."""
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append(f"<{tag}>")

        def handle_endtag(self, tag):
            found.append(f"</{tag}>")

        def handle_data(self, data):
            if data.strip():
                found.append(data.strip())

    Parser().feed(text)
    return found


def test_text_is_escaped_wherever_it_stands():
    bad = "<b>&</b>"
    assert elements(section(bad, "")) == ["<h2>", bad, "</h2>"]
    assert elements(definitions("of", {bad: bad}))[3:] == [
        *("<dl>", "<dt>", bad, "</dt>", "<dd>", bad, "</dd>", "</dl>")
    ]
    assert [cell for cell in elements(table([bad], [[bad]])) if "&" in cell] == [bad, bad]
    page = elements(document(bad, bad, []))
    assert page.count(bad) == 3  # of the title, the heading, and below it
    assert "<b>" not in page


@pytest.mark.parametrize(("scripts", "allowed"), [("", False), ("<script>1</script>", True)])
def test_a_page_loads_nothing_and_runs_what_it_was_given(scripts, allowed):
    text = document("title", "about", ["<p>first</p>"], scripts=scripts)
    assert "default-src 'none'" in text
    assert ("script-src" in text) == allowed
    assert text.index("first") < text.index("</body>")
