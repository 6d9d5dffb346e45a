"""The tables of a page as one CSV file beside it, written from the page: no number is kept twice.

``tables_as_csv`` of the configuration lists the pages.
"""

import csv
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform


class Link(SphinxTransform):
    """Link to the file below the first paragraph of a page."""

    default_priority = 700

    def apply(self, **kwargs):
        page = self.env.docname
        if page in self.config.tables_as_csv:
            link = nodes.reference(
                "", "All tables of this page as a CSV file", refuri=f"{page}.csv"
            )
            paragraphs = self.document.findall(nodes.paragraph)
            first = next(p for p in paragraphs if isinstance(p.parent, nodes.section))
            first.parent.insert(first.parent.index(first) + 1, nodes.paragraph("", "", link))


def rows(table):
    """Yield the rows of a table below what it is about: headings of its sections, its caption."""
    above, node = [], table.parent
    while node.parent is not None:
        if isinstance(node, nodes.section):
            above.insert(0, node[0].astext())
        node = node.parent
    caption = [title.astext() for title in table.findall(nodes.title)]
    yield [": ".join(above[1:] + caption)]
    for row in table.findall(nodes.row):
        yield [cell.astext().replace("\N{NO-BREAK SPACE}", " ") for cell in row.children]
    yield []


def write(app, exception):
    if exception is None and app.builder.format == "html":
        for page in app.config.tables_as_csv:
            path = Path(app.outdir, f"{page}.csv")
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                for table in app.env.get_doctree(page).findall(nodes.table):
                    writer.writerows(rows(table))


def setup(app):
    app.add_config_value("tables_as_csv", (), "env", types=tuple)
    app.add_transform(Link)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
