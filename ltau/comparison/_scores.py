"""The scores of a comparison, on the same footing for every method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau.comparison._observed import Observed
from ltau.comparison._statistics import (
    Statistic,
    area_to_diagonal,
    mean_of,
    rank_correlation,
    within_folds,
)

__all__ = ["SCORES", "Score", "score", "statistics_of"]


class Score(NamedTuple):
    """How a score is called, and what it means."""

    label: str
    meaning: str
    has_unit: bool = False  # that of the target


SCORES = {
    "coverage_50": Score("Coverage, 50 %", "share of targets in the 50 % interval: 0.5 is right"),
    "coverage_90": Score("Coverage, 90 %", "share of targets in the 90 % interval: 0.9 is right"),
    "width_90": Score(
        "Width, 90 %", "mean width of the 90 % interval: narrow is good if coverage is right", True
    ),
    "crps": Score(
        "CRPS", "continuous ranked probability score of the target: lower is better", True
    ),
    "miscalibration": Score(
        "Miscal. area",
        "area between the calibration curve of the absolute error and the diagonal: 0 is best",
    ),
    "spearman": Score(
        "Spearman",
        "rank correlation of expected and observed error, mean over folds: higher is better",
    ),
    "mae": Score("Mean error", "mean absolute error of the predictions: lower is better", True),
}


def statistics_of(observed: Observed, folds: Sequence[NDArray[np.intp]]) -> dict[str, Statistic]:
    """Make all scores of some rows, as functions of how often each row counts.

    Parameters
    ----------
    observed : Observed
        What a method said of them, and what was observed.
    folds : sequence of ndarray of int
        Which of the rows lie in the same fold. The rank correlation is that within folds.

    Returns
    -------
    dict of str to callable
        For each of `SCORES`.
    """
    return {
        "coverage_50": mean_of(observed.inside_50.astype(np.float64)),
        "coverage_90": mean_of(observed.inside_90.astype(np.float64)),
        "width_90": mean_of(observed.width_90),
        "crps": mean_of(observed.crps),
        "miscalibration": area_to_diagonal(observed.pit),
        "spearman": within_folds(rank_correlation, observed.expected, observed.error, folds),
        "mae": mean_of(observed.error),
    }


def score(observed: Observed) -> dict[str, float]:
    """Score the rows of one fold.

    Parameters
    ----------
    observed : Observed
        What a method said of them, and what was observed.

    Returns
    -------
    dict of str to float
        For each of `SCORES`; NaN where one is not defined.
    """
    n = len(observed.y)
    statistics = statistics_of(observed, [np.arange(n)])
    return {name: statistic(np.ones(n)) for name, statistic in statistics.items()}
