"""What the benchmark writes: all measurements, the tables, and a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from benchmarks.harness.figures import dots, label_log_axis, save, without_window
from benchmarks.harness.files import write_text
from benchmarks.harness.tables import Mean, markdown_table
from benchmarks.regression.run import METHODS, REFERENCE, REWEIGHTING, Cell, Profile

__all__ = ["write"]

_Values = dict[tuple[str, int], float]  # of each set and fold

_SCORES = {
    "coverage_50": "Coverage, 50 %",
    "coverage_90": "Coverage, 90 %",
    "width_90": "Width, 90 %",
    "crps": "CRPS",
    "miscalibration": "Miscal. area",
    "spearman": "Spearman",
    "mae": "Mean error",
    "training": "Training",
    "prediction": "Prediction",
}
_DIGITS = {"width_90": 3, "crps": 3, "miscalibration": 3, "mae": 3, "training": 1, "prediction": 1}


def write(cells: Sequence[Cell], profile: Profile, output: Path) -> str:
    """Write ``results.json``, ``results.md`` and ``regression.png``; return the Markdown."""
    measurements = {"profile": asdict(profile), "cells": [_strict(cell) for cell in cells]}
    write_text(output / "results.json", json.dumps(measurements, indent=1))
    text = markdown(cells)
    write_text(output / "results.md", text)
    draw(cells, output / "regression.png")
    return text


def markdown(cells: Sequence[Cell]) -> str:
    """Lay out the scores of each set and of all together, and the two comparisons in pairs."""
    sets = _sets(cells)
    tables = {name: _scores(cells, [name]) for name in sets}
    if len(sets) > 1:
        tables["All sets"] = _scores(cells, sets)
    tables["CRPS against that of LTAU, change in %"] = _against_ltau(cells)
    tables["Re-weighting, change in %"] = _reweighting(cells)
    return "\n\n".join(f"## {title}\n\n{table}" for title, table in tables.items()) + "\n"


def summarize(cells: Sequence[Cell], sets: Sequence[str], method: str, score: str) -> Mean:
    """Average a score of a method over folds, then over sets; costs are those of one network."""
    seconds = {"training": "fit_seconds", "prediction": "predict_seconds"}.get(score)
    unit = _by_fold(cells, REFERENCE, seconds) if seconds else {}
    means = []
    for name in sets:
        values = _by_fold([c for c in cells if c.dataset == name], method, seconds or score)
        means.append(Mean.of([value / unit.get(fold, 1.0) for fold, value in values.items()]))
    return Mean.over_sets(means)


def _scores(cells: Sequence[Cell], sets: Sequence[str]) -> str:
    rows = [
        [method, *(summarize(cells, sets, method, s).format(_DIGITS.get(s, 2)) for s in _SCORES)]
        for method in METHODS
    ]
    return markdown_table(["Method", *_SCORES.values()], rows)


def _against_ltau(cells: Sequence[Cell]) -> str:
    ltau = _by_fold(cells, "LTAU", "crps")
    rows = [
        [method, *_changes(cells, _by_fold(cells, method, "crps"), ltau)]
        for method in METHODS
        if method != "LTAU"
    ]
    return markdown_table(["Method", *_columns(cells)], rows)


def _reweighting(cells: Sequence[Cell]) -> str:
    rows = []
    for label, error in (("Mean error", "mae"), ("RMSE", "rmse")):
        weighted = _by_fold(cells, REWEIGHTING, f"{error}_weighted")
        unweighted = _by_fold(cells, REWEIGHTING, f"{error}_unweighted")
        rows.append([label, *_changes(cells, weighted, unweighted)])
    return markdown_table(["Of the second training", *_columns(cells)], rows)


def _columns(cells: Sequence[Cell]) -> list[str]:
    """Name the sets, and all together where there are several."""
    sets = _sets(cells)
    return [*sets, "all sets"] if len(sets) > 1 else sets


def _changes(cells: Sequence[Cell], new: _Values, old: _Values) -> list[str]:
    """Change in % of each set, and of several with the sets as the sample: mean, 95 % interval."""
    means = [
        Mean.of([100 * (new[key] / old[key] - 1) for key in new if key[0] == name])
        for name in _sets(cells)
    ]
    if len(means) > 1:
        means.append(Mean.of([mean.value for mean in means]))
    return [_change(mean) for mean in means]


def _change(mean: Mean) -> str:
    """Print a change, with its interval if there were several folds or sets."""
    if mean.n == 1:
        return f"{mean.value:+.1f}"
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(mean.value, *mean.interval())


def _by_fold(cells: Sequence[Cell], method: str, score: str) -> _Values:
    return {(c.dataset, c.fold): c.result[score] for c in cells if c.method == method}


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw coverage, CRPS and rank correlation, set by set."""
    without_window()
    sets = _sets(cells)
    figure, axes = plt.subplots(
        1, 3, figsize=(10, 1.2 + 0.85 * len(sets)), sharey=True, layout="constrained"
    )
    panels = (
        ("coverage_90", "Targets inside the 90 % interval"),
        ("crps", "CRPS of the target / its standard deviation"),
        ("spearman", "Spearman correlation of\nexpected and observed error"),
    )
    for ax, (score, label) in zip(axes, panels, strict=True):
        measured = {
            method: [summarize(cells, [name], method, score) for name in sets] for method in METHODS
        }
        dots(ax, measured, sets)
        ax.set_xlabel(label)
    axes[0].axvline(0.9, color="0.4", linestyle=":", zorder=0)
    axes[1].set_xscale("log")
    label_log_axis(axes[1].xaxis)
    axes[2].axvline(0.0, color="0.4", linestyle=":", zorder=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    save(figure, path)


def _strict(cell: Cell) -> dict[str, Any]:
    """Give a cell as JSON knows it: null where a score is not defined."""
    result = {name: None if math.isnan(x) else x for name, x in cell.result.items()}
    return asdict(cell) | {"result": result}


def _sets(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.dataset for cell in cells))
