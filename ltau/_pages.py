"""Pages of HTML that need no other file and no network: how they look, and their parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

__all__ = ["definitions", "document", "section", "table"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p.about { color: #555; margin-top: .2rem; } img { width: 100%; height: auto; }
dt { font-weight: 600; } dd { margin: 0 0 .6rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #222; } tbody tr { border-bottom: 1px solid #ddd; }
"""


def document(
    title: str, about: str, sections: Iterable[str], *, style: str = "", scripts: str = ""
) -> str:
    """Lay out a page.

    Parameters
    ----------
    title, about : str
        The title, and a sentence below it; text, which is escaped.
    sections : iterable of str
        What follows, in HTML.
    style : str, optional
        Rules of CSS beside those that all pages have.
    scripts : str, optional
        Elements at the end of the page. Where there are none, no browser runs any: the page
        forbids it, as it forbids everything that would have to be loaded.

    Returns
    -------
    str
        The page.
    """
    allowed = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if scripts:
        allowed += "; script-src 'unsafe-inline'"
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        "<meta name='viewport' content='width=device-width'>\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p class='about'>{escape(about)}</p>\n"
        + "\n".join(sections)
        + f"\n{scripts}</body>\n</html>\n"
    )


def section(title: str, content: str) -> str:
    """Put a title, which is escaped, above HTML."""
    return f"<h2>{escape(title)}</h2>\n{content}"


def definitions(title: str, entries: Mapping[str, str]) -> str:
    """List terms and what is said of them, all of it text."""
    inside = "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries.items()
    )
    return section(title, f"<dl>\n{inside}\n</dl>")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table of text."""
    head = "".join(f"<th>{_in_one_line(cell)}</th>" for cell in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_in_one_line(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<div class='wide'><table>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _in_one_line(cell: str) -> str:
    return escape(cell).replace(" ", "&nbsp;")  # a notebook has no style of ours
