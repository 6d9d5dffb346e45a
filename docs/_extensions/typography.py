"""Where lines break, in numbers and in names, and a dash in empty cells."""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

NO_BREAK = "\N{NO-BREAK SPACE}"
MAY_BREAK = "\N{ZERO WIDTH SPACE}"
DASH = "\N{EN DASH}"
VERBATIM = nodes.literal, nodes.literal_block, nodes.math, nodes.math_block

# "0.50 ± 0.02", "90 %", "0.076 eV/Å", "[0.37, 0.70]"
BREAKS = re.compile(
    r"(?<=\d) (?=±|%|eV|Å|K\b|ms\b|fs\b|ps\b)|(?<=[±≤≥<>=]) (?=[-+\d])|(?<=\d,) (?=[-+\d.]+\])"
)
WORDS = re.compile(r"(?<=[._])(?=\w)|(?<=[a-z])(?=[A-Z])")  # of a name


class Names(SphinxTransform):
    """Let the titles of the reference, which are long names, break between their words."""

    default_priority = 700

    def apply(self, **kwargs):
        if self.env.docname.startswith("api/"):
            for title in self.document.findall(nodes.title):
                for text in list(title.findall(nodes.Text)):
                    text.parent.replace(text, nodes.Text(WORDS.sub(MAY_BREAK, text)))


class Numbers(SphinxTransform):
    """Put spaces that do not break into numbers, and dashes into cells that would be empty."""

    default_priority = 700

    def apply(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, VERBATIM):
                continue
            changed = BREAKS.sub(NO_BREAK, text)
            if changed != text:
                text.parent.replace(text, nodes.Text(changed))
        for body in self.document.findall(nodes.tbody):
            for cell in body.findall(nodes.entry):
                if cell.astext().strip() in ("", "-"):
                    cell.children = []
                    cell += nodes.paragraph("", DASH)


def setup(app):
    app.add_transform(Names)
    app.add_transform(Numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
