"""Figures: how bad relaxations are told, what is set aside, and one relaxation step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from benchmarks.harness.figures import COLORS, save, without_window
from benchmarks.is2rs.measuring.columns import bad, score_columns, shown
from benchmarks.is2rs.measuring.geometry import watched_atoms
from benchmarks.is2rs.measuring.judging import Relaxed
from benchmarks.is2rs.measuring.labels import step_errors
from benchmarks.is2rs.measuring.one_label import main_label
from benchmarks.is2rs.measuring.ranking import error_name, known_path
from benchmarks.is2rs.relaxing.paths import Path as Steps
from benchmarks.is2rs.report.render import VIEWS, draw_structure
from ltau.metrics import auroc, risk_coverage_area, risk_coverage_curve

__all__ = ["draw", "most_wrong"]

Floats = NDArray[np.float64]

_LTAU = ("expected error", "OOD score")  # drawn over the baselines
_LEFT_OUT = ("P(error > tolerance)", "constant")
_STYLES = ("-", "--", "-.", ":")


def draw(relaxed: Sequence[Relaxed], about: Mapping[str, Any], output: Path) -> list[Path]:
    """Draw all figures.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems, at least one.
    about : mapping of str to JSON values
        What was run; its ``data`` is in the titles.
    output : Path
        Folder of the results.

    Returns
    -------
    list of Path
        The figures, of PNG: ``roc``, ``risk_coverage`` and ``trajectory``. The first two are about
        the label of `measuring.one_label.main_label`, and left out where there is none.
    """
    without_window()
    figures = {}
    label = main_label(relaxed)
    if label is not None:
        truth = bad(relaxed, label)
        known = ~np.isnan(truth)
        scores = shown(score_columns(relaxed))
        columns = {name: scores[name][known] for name in scores if name not in _LEFT_OUT}
        of = f"{label}, {about['data']}: {known.sum()} systems, {truth[known].sum():.0f} bad"
        figures["roc"] = _roc(columns, truth[known], of)
        figures["risk_coverage"] = _risk_coverage(columns, truth[known], of)
    figures["trajectory"] = _trajectory(relaxed)
    return [save(figure, output / f"{name}.png") for name, figure in figures.items()]


def most_wrong(relaxed: Sequence[Relaxed]) -> tuple[Relaxed, Steps]:
    """Choose the relaxation to be drawn: it converged, and is the most wrong of those.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems, at least one.

    Returns
    -------
    relaxed : Relaxed
        Of the converged systems, or of all if none is, the one whose mean true force error, over
        steps, and free atoms of adsorbate and surface, is the largest; where true forces are known
        for none, the one that ends farthest from the reference structure.
    path : Path
        That of `measuring.ranking.known_path`, or else its relaxation.
    """
    candidates = [each for each in relaxed if each.path.converged] or list(relaxed)
    known = [(each, path) for each in candidates if (path := known_path(each)) is not None]
    if known:
        return max(known, key=lambda pair: step_errors(pair[1]).mean())
    farthest = max(candidates, key=lambda each: each.judgement.distance)
    return farthest, farthest.path


def _roc(columns: Mapping[str, Floats], truth: Floats, of: str) -> Figure:
    figure, ax = plt.subplots(figsize=(6.9, 4.8), layout="constrained")
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
    for number, (name, column) in enumerate(columns.items()):
        ranks = np.unique(column, return_inverse=True)[1]  # scores may be infinite
        false, true, _ = roc_curve(truth, ranks, drop_intermediate=False)
        ax.plot(false, true, label=f"{name}: {auroc(truth, column):.2f}", **_style(number, name))
    ax.set(
        xlabel="Share of good relaxations suspected",
        ylabel="Share of bad relaxations suspected",
        title=of,
        aspect="equal",
    )
    _legend(ax, "AUROC")
    return figure


def _risk_coverage(columns: Mapping[str, Floats], truth: Floats, of: str) -> Figure:
    figure, ax = plt.subplots(figsize=(7.4, 4.8), layout="constrained")
    ax.axhline(truth.mean(), color="0.6", linewidth=1, linestyle=":")
    for number, (name, column) in enumerate(columns.items()):
        area = risk_coverage_area(truth, column)
        curve = risk_coverage_curve(truth, column)
        ax.plot(*curve, label=f"{name}: {area:.2f}", **_style(number, name))
    ax.plot(*risk_coverage_curve(truth, truth), color="0.4", linewidth=1, label="best possible")
    ax.set(
        xlabel="Share of relaxations kept, the least suspect first",
        ylabel="Share of bad ones among those kept",
        title=of,
        xlim=(0, 1),
        ylim=(-0.02, None),
    )
    _legend(ax, "Area")
    return figure


def _style(number: int, name: str) -> dict[str, Any]:
    """Give lines of LTAU more weight than those of the baselines."""
    return {
        "color": COLORS[number % len(COLORS)],
        "linewidth": 2.4 if name in _LTAU else 1.4,
        "linestyle": "-" if name in _LTAU else _STYLES[number % len(_STYLES)],
        "zorder": 3 - number / 100 if name in _LTAU else 2,
    }


def _legend(ax: Axes, title: str) -> None:
    ax.figure.legend(loc="outside right center", title=title, fontsize="small")


def _trajectory(relaxed: Sequence[Relaxed]) -> Figure:
    """Draw predicted and true errors by step, and the structure where most is predicted."""
    chosen, path = most_wrong(relaxed)
    predicted = path.expected_error[:, watched_atoms(path)].mean(axis=1)
    step = int(predicted.argmax())
    figure = plt.figure(figsize=(8.8, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.2))[0]
    errors, views = left.subplots(), right.subplots(1, len(VIEWS))
    errors.plot(predicted, color=COLORS[0], label="expected error")
    if path.true_error.size:
        name = error_name(relaxed)
        errors.plot(step_errors(path), color=COLORS[1], linestyle="--", label=name)
    errors.axvline(step, color="0.6", linewidth=1, linestyle=":", label="structure drawn")
    errors.set(
        xlabel="Structure on the path",
        ylabel="Mean error over atoms (eV/Å)",
        ylim=(0, None),
    )
    errors.xaxis.set_major_locator(MaxNLocator(integer=True))
    errors.legend(fontsize="small")
    shown_errors = path.expected_error[step]
    colors = ScalarMappable(Normalize(0, shown_errors[watched_atoms(path)].max()), "viridis")
    for ax, view in zip(views, VIEWS, strict=True):
        draw_structure(ax, path, step, shown_errors, colors, view)
    right.colorbar(colors, ax=views, location="bottom", label="Expected error (eV/Å)", shrink=0.8)
    judged = chosen.judgement
    figure.suptitle(
        f"{chosen.system.sid}, {chosen.system.adsorbate} on {chosen.system.bulk}: "
        f"relaxed to {judged.distance:.2f} Å from the reference"
    )
    return figure
