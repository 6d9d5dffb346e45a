"""The figures of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from ltau.comparison._observed import Observed
from ltau.comparison._results import Results
from ltau.comparison._rows import Floats
from ltau.metrics import Estimate, calibration_curve, risk_coverage_curve
from ltau.plotting import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "overview"]

_COLORS = (*OKABE_ITO, "#000000", "#999999")
_LEAST_KEPT = 0.05


def overview(results: Results) -> Figure:
    """Draw coverage, CRPS, rank correlation and cost, one row per method."""
    n = len(results.methods)
    figure = _new_figure(1.4 + 0.32 * n)
    coverage, crps, ranking, costs = figure.subplots(1, 4, sharey=True)
    _dots(coverage, [results.score(method, "coverage_90") for method in results.methods], 0.9)
    coverage.set_xlabel("Targets inside the 90 % interval")
    best = results.best("crps") or results.methods[0]
    _dots(crps, [results.difference(method, best, "crps") for method in results.methods], 0.0)
    crps.set_xlabel(f"CRPS minus that of\n{best}")
    _dots(ranking, [results.score(method, "spearman") for method in results.methods], 0.0)
    ranking.set_xlabel("Rank correlation of\nexpected and observed error")
    _costs(costs, results)
    coverage.set_yticks(range(n), results.methods)
    coverage.set_ylim(n - 0.5, -0.5)
    return figure


def curves(results: Results) -> Figure:
    """Draw the calibration curve of each method, and what is left where doubtful rows go."""
    figure = _new_figure(4.2)
    calibration, risk = figure.subplots(1, 2)
    for method, color in zip(results.methods, cycle(_COLORS), strict=False):
        observed = results.observed(method)
        calibration.plot(*calibration_curve(observed.pit), color=color, label=method)
        if not np.isnan(results.score(method, "spearman")):
            risk.plot(*_risk_curve(observed), color=color)
    calibration.plot([0, 1], [0, 1], color="0.4", linestyle=":", zorder=0)
    calibration.set(xlabel="Predicted probability", ylabel="Share of errors within")
    calibration.set_aspect("equal")
    risk.set(xlabel="Share of rows kept, the most certain first", ylabel="Mean error of those kept")
    risk.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def _risk_curve(observed: Observed) -> tuple[Floats, Floats]:
    """Mean error of the rows that are kept; that of the first few is noise."""
    kept, risk = risk_coverage_curve(observed.error, observed.expected)
    shown = kept >= _LEAST_KEPT
    return kept[shown], risk[shown]


def _new_figure(height: float) -> Figure:
    """Make a figure that needs no screen."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'ltau[plot]'") from error
    return Figure(figsize=(11, height), layout="constrained")


def _dots(ax: Axes, estimates: Sequence[Estimate], reference: float) -> None:
    """Draw a dot with its 95 % interval in each row, where there is one."""
    for place, (estimate, color) in enumerate(zip(estimates, cycle(_COLORS), strict=False)):
        if np.isnan(estimate):
            middle = ax.get_yaxis_transform()
            ax.text(0.5, place, "none", color="0.5", ha="center", va="center", transform=middle)
            continue
        ax.plot(float(estimate), place, "o", color=color)
        ax.plot([estimate.low, estimate.high], [place, place], color=color, linewidth=1.5)
    ax.axvline(reference, color="0.4", linestyle=":", zorder=0)


def _costs(ax: Axes, results: Results) -> None:
    for place, (method, color) in enumerate(zip(results.methods, cycle(_COLORS), strict=False)):
        fit, predict = results.cost(method)
        ax.plot(fit, place, "o", color=color)
        ax.plot(predict, place, "x", color=color)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("Cost in units of the model:\ntraining (dot), prediction (cross)")
