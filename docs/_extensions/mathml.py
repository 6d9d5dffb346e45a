"""Formulas as MathML, which browsers draw themselves: no script, no font and no network."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def render(translator, node, *, as_block):
    """Write a formula in the place of its node; one that cannot be converted is a warning."""
    try:
        translator.body.append(tex2mathml(node.astext(), as_block=as_block))
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
