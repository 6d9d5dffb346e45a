"""Figures of one domain: calibration, scores, and predicted against observed errors."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.harness.figures import COLORS, label_log_axis, save, without_window
from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging import Judge, methods
from benchmarks.methods.predictions import ErrorPrediction
from benchmarks.ood.run import Case, load
from ltau.plotting import ErrorCalibrationDisplay, PredictedErrorDisplay

__all__ = ["draw"]

_RIVALS = ("Quantile boosting", "Error bins")
_SHOWN = ("LTAU, paper", "LTAU", "LTAU, calibrated", "Distance", *_RIVALS)
_PREDICTED = ("LTAU, calibrated", *_RIVALS)  # whose errors are drawn, beside an ensemble's


def draw(case: Case, output: Path, measured: Collection[str]) -> list[Path]:
    """Draw three figures of a domain, whose models are trained.

    Parameters
    ----------
    case : Case
        The domain.
    output : Path
        Folder of the results; the figures begin with the domain's name.
    measured : collection of str
        The methods that were measured; some of them are drawn.

    Returns
    -------
    list of Path
        The figures, of PNG.
    """
    without_window()
    domain = load(case, output / "cells")
    predictions = {
        name: {test: fitted.predict(samples) for test, samples in domain.tests.items()}
        for name, fitted in (
            (name, method.fit(domain)) for name, method in _shown(domain, measured)
        )
    }
    stem = re.sub(r"\W+", "-", case.name)
    figures = {
        "calibration": _calibration(domain, predictions),
        "scores": _score_histograms(domain, predictions),
        "errors": _predicted_errors(domain, predictions),
    }
    return [save(figure, output / f"{stem}-{name}.png") for name, figure in figures.items()]


def _shown(domain: Domain, measured: Collection[str]) -> list[tuple[str, Judge]]:
    """Take some of the methods, of the ensembles the largest."""
    ensembles = [name for name in measured if name.startswith("Ensemble of")]
    names = {*_SHOWN, *ensembles[-1:]}.intersection(measured)
    return [(name, method) for name, method in methods(domain).items() if name in names]


_Predictions = dict[str, dict[str, ErrorPrediction]]


def _calibration(domain: Domain, predictions: _Predictions) -> Figure:
    figure, axes = plt.subplots(
        1, len(domain.tests), figsize=(4.2 * len(domain.tests), 4.4), layout="constrained"
    )
    for ax, (test, samples) in zip(axes, domain.tests.items(), strict=True):
        for (name, by_test), color in zip(predictions.items(), cycle(COLORS), strict=False):
            ErrorCalibrationDisplay.from_predictions(
                samples.errors, by_test[test].errors, name=name, ax=ax, color=color
            )
        ax.set_title(test)
    return figure


def _score_histograms(domain: Domain, predictions: _Predictions) -> Figure:
    """Draw the scores of structures, of each method that has its own."""
    shown = dict(predictions)
    if "LTAU" in shown:
        shown.pop("LTAU, calibrated", None)  # whose scores are much the same
    n_rows = math.ceil(len(shown) / 2)
    figure, axes = plt.subplots(
        n_rows, 2, figsize=(8, 2.9 * n_rows), layout="constrained", squeeze=False
    )
    for ax in axes.flat[len(shown) :]:
        ax.axis("off")
    for ax, (name, by_test) in zip(axes.flat, shown.items(), strict=False):
        scores = {
            test: _structure_means(by_test[test], samples) for test, samples in domain.tests.items()
        }
        pooled = np.concatenate(list(scores.values()))
        edges = np.geomspace(pooled.min(), pooled.max(), 40)
        for (test, values), color in zip(scores.items(), cycle(COLORS), strict=False):
            share = np.full(len(values), 100 / len(values))
            ax.hist(values, edges, weights=share, alpha=0.55, color=color, label=test)
        ax.set(xscale="log", xlabel="Score", title=name)
        label_log_axis(ax.xaxis)
    for ax in axes[:, 0]:
        ax.set_ylabel("Share of the test set (%)")
    axes[0, 0].legend(fontsize="small")
    return figure


def _structure_means(prediction: ErrorPrediction, samples: Samples) -> NDArray[np.float64]:
    counts = np.bincount(samples.structures)
    means: NDArray[np.float64] = (
        np.bincount(samples.structures, weights=prediction.ood_score) / counts
    )
    return np.maximum(means, np.finfo(np.float32).tiny)


def _predicted_errors(domain: Domain, predictions: _Predictions) -> Figure:
    """Draw the errors that some methods predict, as many as fit a page."""
    shown = {
        name: by_test
        for name, by_test in predictions.items()
        if name in _PREDICTED or name.startswith("Ensemble")
    }
    n_rows, n_columns = len(domain.tests), len(shown)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(3.3 * n_columns, 3.1 * n_rows), layout="constrained"
    )
    for row, (test, samples) in zip(axes, domain.tests.items(), strict=True):
        for ax, (name, by_test) in zip(row, shown.items(), strict=True):
            PredictedErrorDisplay.from_predictions(
                samples.errors, by_test[test].errors.mean(), unit=domain.unit, ax=ax
            )
            ax.set_title(f"{name}, {test}", fontsize="small")
    return figure
