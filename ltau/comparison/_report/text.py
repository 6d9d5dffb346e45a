"""The table for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ltau.comparison._report.cells import cost_cell, score_cell
from ltau.comparison._report.findings import findings
from ltau.comparison._results import Results
from ltau.comparison._scores import SCORES

__all__ = ["described", "text"]

_SHOWN = ("coverage_90", "crps", "spearman", "mae")
_WIDTH = 100


def text(results: Results) -> str:
    """Lay out the main scores, what was found, and what is missing."""
    said = [
        textwrap.fill(f"{question} {answer}", _WIDTH, subsequent_indent="  ")
        for question, answer in findings(results).items()
    ]
    missing = [
        textwrap.fill(f"{name}: {why}", _WIDTH, subsequent_indent="  ", initial_indent=kind)
        for kind, methods in (("Lost: ", results.lost), ("Skipped: ", results.skipped))
        for name, why in methods.items()
    ]
    blocks = [described(results), _table(results), "\n".join(said), "\n".join(missing)]
    return "\n\n".join(block for block in blocks if block)


def described(results: Results) -> str:
    """Say what was compared, and on what."""
    about = results.about
    n_groups = None if about.groups is None else len(set(about.groups.tolist()))
    parts = [
        f"{about.target}: {len(results.rows):,} rows",
        f"{len(about.table.columns)} columns ({len(about.table.categorical)} of categories)",
        *([] if n_groups is None else [f"{n_groups:,} groups"]),
        f"{results.n_folds} folds",
        f"model {about.model}",
    ]
    return ", ".join(parts)


def _table(results: Results) -> str:
    """Lay out a row for each method, with half of each 95 % interval."""
    header = ["Method", *(SCORES[name].label for name in _SHOWN), "Training", "Prediction"]
    rows = [
        [
            method,
            *(score_cell(results.score(method, name)) for name in _SHOWN),
            *(cost_cell(cost) for cost in results.cost(method)),
        ]
        for method in results.methods
    ]
    return "\n".join(
        [
            *_aligned([header, *rows]),
            "± half of the 95 % interval; training and prediction in units of the model alone",
        ]
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Put the first column to the left and the others to the right, under a rule."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]
