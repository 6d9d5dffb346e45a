"""One page of HTML that needs no other file and no network."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from ltau._pages import definitions, document, section, table
from ltau.comparison._code import versions
from ltau.comparison._report.cells import cost_cell, score_cell
from ltau.comparison._report.figures import curves, overview
from ltau.comparison._report.findings import findings
from ltau.comparison._report.text import described
from ltau.comparison._results import Results
from ltau.comparison._scores import SCORES
from ltau.comparison._slices import failures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page", "png", "table_of_scores"]

_N_FAILURES = 3  # slices of each method

_STYLE = """
.failures :is(th, td):nth-child(2) { text-align: left; }
"""


def page(results: Results) -> str:
    """Write the report: findings, figures, scores, failures, and how all was measured."""
    title = f"Error bars for {results.about.target}"
    sections = [
        definitions("What was found", findings(results)),
        section("At a glance", _image(overview(results), "Scores of each method")),
        section("All scores", table_of_scores(results)),
        section("Calibration and ranking", _image(curves(results), "Calibration and risk curves")),
        section("Where each fails", _failures(results)),
        *(
            definitions(name, methods)
            for name, methods in (
                ("Methods that failed", results.lost),
                ("Methods that were left out", results.skipped),
            )
            if methods
        ),
        definitions("How it was measured", _explained(results)),
    ]
    return document(title, described(results), sections, style=_STYLE)


def png(figure: Figure) -> bytes:
    """Draw a figure, without a screen."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=140)
    return buffer.getvalue()


def table_of_scores(results: Results) -> str:
    """Lay out all scores and costs in HTML, a row for each method."""
    header = ["Method", *(score.label for score in SCORES.values()), "Training", "Prediction"]
    rows = [
        [
            method,
            *(score_cell(results.score(method, name)) for name in SCORES),
            *(cost_cell(cost) for cost in results.cost(method)),
        ]
        for method in results.methods
    ]
    return table(header, rows)


def _failures(results: Results) -> str:
    rows = [
        ["" if rank else method, failure.where, f"{failure.n_rows:,}", f"{failure.coverage:.2f}"]
        for method in results.methods
        for rank, failure in enumerate(failures(results, method)[:_N_FAILURES])
    ]
    if not rows:
        return "<p>There are too few rows to cut them.</p>"
    note = (
        "<p>The slices of the table, by one column each, in which the 90 % intervals hold least. "
        "The lowest of many shares lies below 0.9 by chance, too.</p>"
    )
    worst = table(["Method", "Rows with", "Rows", "Coverage, 90 %"], rows)
    return f"{note}<div class='failures'>{worst}</div>"


def _explained(results: Results) -> dict[str, str]:
    """Say how all was measured."""
    about = results.about
    unit = "groups" if about.groups is not None else "rows"
    names = ", ".join(column.name for column in about.table.categorical)
    return {
        "Folds": f"{results.n_folds} folds; random state {about.random_state}. All methods learn "
        "from the same rows and are tested on the same others."
        + ("" if about.groups is None else " Rows of a group are never in both."),
        "Columns": ", ".join(column.name for column in about.table.columns)
        + (f". One-hot encoded: {names}." if names else "."),
        "Intervals": f"± half of the 95 % interval, by bootstrap over {unit}. What varies from one "
        "training to another is in them only as far as folds differ.",
        "Costs": "Processor time on one thread, in units of one training and one prediction of "
        "the model alone; medians over folds.",
        **{
            score.label: score.meaning[0].upper()
            + score.meaning[1:]
            + (f". In the unit of {about.target}." if score.has_unit else ".")
            for score in SCORES.values()
        },
        "Standard deviation of the target": f"{results.target_std:.4g}",
        "Versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
    }


def _image(figure: Figure, alt: str) -> str:
    data = base64.b64encode(png(figure)).decode("ascii")
    return f"<img alt='{escape(alt)}' src='data:image/png;base64,{data}'>"
