"""What sphinx-gallery leaves out: what its pictures show, in words, and what its pages are about.

A script says what its picture shows: ``# sphinx_gallery_alt = "..."``.
"""

import re
from pathlib import Path

import imagesize
from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx_gallery.directives import imgsgnode
from sphinx_gallery.py_source_parser import extract_file_config

DOCS = Path(__file__).resolve().parents[1]
PICTURE = re.compile(r"sphx_glr_(plot_\w+?)_(?:thumb|\d+)\.png$")
WIDE = 900  # pixels: too small to read on a phone, unless it scrolls


class Words(SphinxTransform):
    """Say what pictures show and what pages are about, and let wide pictures scroll."""

    default_priority = 700

    def apply(self, **kwargs):
        for image in list(self.document.findall(nodes.image)):
            self.describe(image)
        for image in list(self.document.findall(imgsgnode)):
            self.describe(image)
            if imagesize.get(DOCS / image["uri"].lstrip("/"))[0] >= WIDE:
                box = nodes.container(classes=["scrolls"])
                image.replace_self(box)
                box += image
        if self.env.docname.startswith("examples/plot_"):
            self.document.insert(0, nodes.meta("", name="description", content=self.first()))

    def describe(self, image):
        if found := PICTURE.search(image["uri"]):
            script = DOCS / "gallery" / f"{found[1]}.py"
            self.env.note_dependency(str(script))
            image["alt"] = extract_file_config(script.read_text("utf-8"))["alt"]

    def first(self):
        """Return the first two sentences of a page."""
        title = next(self.document.findall(nodes.title))
        text = next(n for n in title.parent.children if isinstance(n, nodes.paragraph)).astext()
        return " ".join(re.split(r"(?<=[.?!])\s+", text)[:2])


def setup(app):
    app.add_transform(Words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
