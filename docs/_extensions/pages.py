"""The code of a page, block after block: it is shown on the page, drawn from, and tested."""

import re
import textwrap
from functools import cache
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]

# A block is a directive, its options, and every line after it that is indented or empty.
BLOCK = re.compile(
    r"^\.\. code-block:: python\n(?: +:[a-z-]+:.*\n)*\n((?: {3}.*\n|\n)+)", re.MULTILINE
)


def blocks(page):
    """Yield the code of each block, on the same lines as on the page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        above = text.count("\n", 0, match.start(1))
        yield "\n" * above + textwrap.dedent(match[1])


def run(page, which=lambda block: True, **given):
    """Run the blocks of a page, or some, in one namespace, with what it is given, and return it."""
    namespace = {"__name__": "__main__", **given}
    for block in filter(which, blocks(page)):
        execute(page, block, namespace)
    return namespace


def execute(page, block, namespace):
    """Run one block, whose errors name the page and the line."""
    exec(compile(block, str(DOCS / page), "exec"), namespace)  # noqa: S102


def draw(page, figure):
    """Draw the figure of a page, counted from 1: a block that calls ``plt.subplots`` draws one."""
    import matplotlib.pyplot as plt

    of_page, namespace = _started(page)
    while figure not in of_page:
        block = next(namespace["_blocks"])
        plt.close("all")
        execute(page, block, namespace)
        if "plt.subplots" in block:
            of_page[len(of_page) + 1] = True
    return plt.gcf()


@cache
def _started(page):
    return {}, {"__name__": "__main__", "_blocks": blocks(page)}
