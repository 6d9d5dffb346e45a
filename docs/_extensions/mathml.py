"""Formulas as MathML, which browsers draw themselves: no script, no font and no network."""

import re
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", NAMESPACE)

DIGITS = re.compile(r"(\\t?frac)(\d)(\d)")  # docutils takes them for one number
ACCENTS = "ˆˉ"


def convert(tex, *, as_block=False):
    r"""Convert a formula, with the index of ``\bar d_j`` beside the letter and not below it."""
    text = tex2mathml(DIGITS.sub(r"\1{\2}{\3}", tex), as_block=as_block)
    math = ElementTree.fromstring(text.replace("&ApplyFunction;", "\u2061"))  # noqa: S314
    for both in list(math.iter(f"{{{NAMESPACE}}}munderover")):
        base, index, accent = both
        if accent.text in ACCENTS:
            over = ElementTree.Element(f"{{{NAMESPACE}}}mover", accent="true")
            over.extend([base, accent])
            both.tag = f"{{{NAMESPACE}}}msub"
            both[:] = [over, index]
    return ElementTree.tostring(math, encoding="unicode")


def render(translator, node, *, as_block):
    """Write a formula in the place of its node; one that cannot be converted is a warning."""
    try:
        translator.body.append(convert(node.astext(), as_block=as_block))
    except MathError as error:
        logger.warning("%s: %s", error, node.astext(), location=node, type="mathml")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(lambda self, node: render(self, node, as_block=False), None),
        block_renderers=(lambda self, node: render(self, node, as_block=True), None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
