"""The figures of a comparison."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from ltau.comparison._results import Results
from ltau.metrics import calibration_curve, risk_coverage_curve
from ltau.plotting import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "overview"]

_COLORS = (*OKABE_ITO, "#000000", "#999999")
_PANELS = (
    ("coverage_90", "Targets inside the 90 % interval", 0.9),
    ("crps", "CRPS of the target", None),
    ("spearman", "Rank correlation of\nexpected and observed error", 0.0),
)


def overview(results: Results) -> Figure:
    """Draw coverage, CRPS, rank correlation and cost, a row for each method."""
    from matplotlib.figure import Figure

    n = len(results.methods)
    figure = Figure(figsize=(11, 1.4 + 0.32 * n), layout="constrained")
    axes = figure.subplots(1, 4, sharey=True)
    for ax, (score, label, reference) in zip(axes, _PANELS, strict=False):
        _dots(ax, results, score)
        ax.set_xlabel(label)
        if reference is not None:
            ax.axvline(reference, color="0.4", linestyle=":", zorder=0)
    _costs(axes[3], results)
    axes[0].set_yticks(range(n), results.methods)
    axes[0].set_ylim(n - 0.5, -0.5)
    return figure


def curves(results: Results) -> Figure:
    """Draw the calibration curve of each method, and what is left where doubtful rows go."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    calibration, risk = figure.subplots(1, 2)
    for method, color in zip(results.methods, cycle(_COLORS), strict=False):
        observed = results.observed(method)
        calibration.plot(*calibration_curve(observed.pit), color=color, label=method)
        risk.plot(*risk_coverage_curve(observed.error, observed.expected), color=color)
    calibration.plot([0, 1], [0, 1], color="0.4", linestyle=":", zorder=0)
    calibration.set(xlabel="Predicted probability", ylabel="Share of errors within")
    calibration.set_aspect("equal")
    risk.set(xlabel="Share of rows kept, the most certain first", ylabel="Mean error of those kept")
    risk.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def _dots(ax: Axes, results: Results, score: str) -> None:
    """Draw a dot with its 95 % interval for each method for which the score is defined."""
    for place, (method, color) in enumerate(zip(results.methods, cycle(_COLORS), strict=False)):
        estimate = results.score(method, score)
        if np.isnan(estimate):
            middle = ax.get_yaxis_transform()
            ax.text(0.5, place, "none", color="0.5", ha="center", va="center", transform=middle)
            continue
        ax.plot(float(estimate), place, "o", color=color)
        ax.plot([estimate.low, estimate.high], [place, place], color=color, linewidth=1.5)


def _costs(ax: Axes, results: Results) -> None:
    for place, (method, color) in enumerate(zip(results.methods, cycle(_COLORS), strict=False)):
        fit, predict = results.cost(method)
        ax.plot(fit, place, "o", color=color, label="training" if place == 0 else None)
        ax.plot(predict, place, "x", color=color, label="prediction" if place == 0 else None)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize="small")
    ax.set_xlabel("Cost in units of the model alone")
