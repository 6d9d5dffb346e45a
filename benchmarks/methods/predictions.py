"""What a method says of samples: of their errors alone, or of the target too."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.distributions import ErrorModel
from benchmarks.methods.method import Prediction
from ltau import ErrorDistribution

__all__ = [
    "LEVELS",
    "ErrorPrediction",
    "QuantilePrediction",
    "SymmetricPrediction",
    "TargetPrediction",
]

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.9)  # of bounds and intervals


class ErrorPrediction(NamedTuple):
    """What a method says of the errors of some samples, and of whether it knows their like."""

    errors: ErrorDistribution  # of each sample
    bounds: Floats  # (n, 2), errors not exceeded with the probabilities of LEVELS
    ood_score: Floats  # (n,), higher outside the domain


class TargetPrediction(Prediction, Protocol):
    """A prediction of the target, whose errors these are."""

    @property
    def y_pred(self) -> Floats:
        """Predictions of the target, shape (n_samples,)."""
        ...

    def interval(self, level: float) -> Floats:
        """Lower and upper ends that hold the target with probability `level`, (n_samples, 2)."""
        ...


class SymmetricPrediction:
    """A prediction whose intervals reach as far down as up.

    Parameters
    ----------
    y_pred : ndarray of shape (n_samples,)
        Predictions of the target.
    errors : ErrorModel of n_samples rows
        Distributions of their absolute error.
    """

    def __init__(self, y_pred: Floats, errors: ErrorModel) -> None:
        self.y_pred = y_pred
        self.errors = errors

    def interval(self, level: float) -> Floats:
        """Prediction minus and plus the quantile of its error, shape (n_samples, 2)."""
        half_width = self.errors.quantile(level)
        return np.stack([self.y_pred - half_width, self.y_pred + half_width], axis=1)


class QuantilePrediction:
    """A prediction by quantiles of the target, linear between them.

    Parameters
    ----------
    quantiles : ndarray of shape (n_samples, n_levels)
        Predicted quantiles; sorted here where they cross [1]_.
    levels : ndarray of shape (n_levels,)
        Their probabilities, ascending, with 0.5 among them.

    References
    ----------
    .. [1] V. Chernozhukov, I. Fernández-Val and A. Galichon, "Quantile and probability curves
       without crossing", Econometrica 78, 1093-1125 (2010). doi:10.3982/ECTA7880
    """

    _N_BINS = 100

    def __init__(self, quantiles: Floats, levels: Floats) -> None:
        self.quantiles = np.sort(quantiles, axis=1)
        self.levels = levels

    @property
    def y_pred(self) -> Floats:
        """The medians, shape (n_samples,)."""
        return self.quantiles[:, np.flatnonzero(self.levels == 0.5)[0]]

    @cached_property
    def errors(self) -> ErrorDistribution:
        """Distributions of the distance from the median, on whichever side."""
        quantiles, levels = self._with_ends()
        reach = np.abs(quantiles - self.y_pred[:, None]).max(axis=1)
        reach = np.maximum(reach, np.finfo(np.float32).tiny)  # all quantiles may be equal
        edges = np.linspace(0, 1, self._N_BINS + 1)
        cdf = np.empty((len(reach), len(edges)))
        for row, (knots, middle, width) in enumerate(
            zip(quantiles, self.y_pred, reach, strict=True)
        ):
            above = np.interp(middle + width * edges, knots, levels)
            cdf[row] = above - np.interp(middle - width * edges, knots, levels)
        cdf[:, 0], cdf[:, -1] = 0.0, 1.0
        return ErrorDistribution(np.diff(np.maximum.accumulate(cdf, axis=1)), edges, reach)

    def interval(self, level: float) -> Floats:
        """Central interval between two quantiles, shape (n_samples, 2)."""
        quantiles, levels = self._with_ends()
        ends = [(1 - level) / 2, (1 + level) / 2]
        return np.stack([np.interp(ends, levels, row) for row in quantiles])

    def _with_ends(self) -> tuple[Floats, Floats]:
        """Go on in a straight line beyond the outer quantiles, to the levels 0 and 1."""
        q, p = self.quantiles, self.levels
        low = q[:, 0] - (q[:, 1] - q[:, 0]) * p[0] / (p[1] - p[0])
        high = q[:, -1] + (q[:, -1] - q[:, -2]) * (1 - p[-1]) / (p[-1] - p[-2])
        return np.column_stack([low, q, high]), np.concatenate([[0.0], p, [1.0]])
