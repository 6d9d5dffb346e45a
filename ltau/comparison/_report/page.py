"""One page of HTML that needs no other file and no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

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
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p.about { color: #555; margin-top: .2rem; } img { width: 100%; height: auto; }
dt { font-weight: 600; } dd { margin: 0 0 .6rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; }
.failures :is(th, td):nth-child(2), th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #222; } tbody tr { border-bottom: 1px solid #ddd; }
"""


def page(results: Results) -> str:
    """Write the report: findings, figures, scores, failures, and how all was measured."""
    title = f"Error bars for {results.about.target}"
    sections = [
        f"<h1>{escape(title)}</h1>\n<p class='about'>{escape(described(results))}</p>",
        _definitions("What was found", findings(results)),
        _section("At a glance", _image(overview(results), "Scores of each method")),
        _section("All scores", table_of_scores(results)),
        _section("Calibration and ranking", _image(curves(results), "Calibration and risk curves")),
        _section("Where each fails", _failures(results)),
        *(
            _definitions(name, methods)
            for name, methods in (
                ("Methods that failed", results.lost),
                ("Methods that were left out", results.skipped),
            )
            if methods
        ),
        _definitions("How it was measured", _explained(results)),
    ]
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width'>\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body>\n</html>\n"
    )


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
    return _table(header, rows)


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
    table = _table(["Method", "Rows with", "Rows", "In 90 %"], rows)
    return f"{note}<div class='failures'>{table}</div>"


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


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}"


def _definitions(title: str, entries: dict[str, str]) -> str:
    inside = "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries.items()
    )
    return _section(title, f"<dl>\n{inside}\n</dl>")


def _image(figure: Figure, alt: str) -> str:
    data = base64.b64encode(png(figure)).decode("ascii")
    return f"<img alt='{escape(alt)}' src='data:image/png;base64,{data}'>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<div class='wide'><table>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )
