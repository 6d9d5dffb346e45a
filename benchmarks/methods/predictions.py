"""What a method says of each sample: a prediction, intervals, and how its error is distributed."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from ltau.distribution import ErrorDistribution
from ltau.metrics import PredictiveDistribution

__all__ = [
    "ErrorModel",
    "HalfNormal",
    "Prediction",
    "QuantilePrediction",
    "SymmetricPrediction",
    "constant_distribution",
]

Floats = NDArray[np.float64]


class ErrorModel(PredictiveDistribution, Protocol):
    """A distribution of the absolute error a sample that also has means and quantiles."""

    def mean(self) -> Floats:
        """Compute the expected errors, shape (n_samples,)."""
        ...

    def quantile(self, q: float, /) -> Floats:
        """Compute the errors not exceeded with probability `q`, shape (n_samples,)."""
        ...


class Prediction(Protocol):
    """Point predictions with their uncertainty."""

    @property
    def y_pred(self) -> Floats:
        """Predictions of the target, shape (n_samples,)."""
        ...

    @property
    def errors(self) -> ErrorModel:
        """Distributions of ``abs(y - y_pred)``."""
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


class HalfNormal:
    """The absolute error of Gaussian predictions.

    Parameters
    ----------
    sigma : ndarray of shape (n_samples,)
        Standard deviations of the Gaussians around the predictions, positive.
    """

    def __init__(self, sigma: Floats) -> None:
        self.sigma = sigma

    def __len__(self) -> int:
        return len(self.sigma)

    def pdf(self, errors: Floats, /) -> Floats:
        """Evaluate the densities at (n_samples, m) errors."""
        return stats.halfnorm.pdf(errors, scale=self.sigma[:, None])

    def cdf(self, errors: Floats, /) -> Floats:
        """Evaluate P(error <= errors) at (n_samples, m) errors."""
        return special.erf(errors / (np.sqrt(2) * self.sigma[:, None]))

    def crps(self, errors: Floats, /) -> Floats:
        """Compute the CRPS at (n_samples, m) errors.

        That of the Gaussian is half of this plus half of the error, as for every symmetric
        distribution, and has a closed form [1]_.

        References
        ----------
        .. [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and
           estimation", J. Am. Stat. Assoc. 102, 359-378 (2007). doi:10.1198/016214506000001437
        """
        sigma = self.sigma[:, None]
        z = errors / sigma
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        gaussian = sigma * (z * special.erf(z / np.sqrt(2)) + 2 * density - 1 / np.sqrt(np.pi))
        return 2 * gaussian - errors

    def mean(self) -> Floats:
        """Compute the expected errors, shape (n_samples,)."""
        return self.sigma * np.sqrt(2 / np.pi)

    def std(self) -> Floats:
        """Compute the standard deviations of the errors, shape (n_samples,)."""
        return self.sigma * np.sqrt(1 - 2 / np.pi)

    def quantile(self, q: float, /) -> Floats:
        """Compute the errors not exceeded with probability `q`, shape (n_samples,)."""
        return self.sigma * special.ndtri((1 + q) / 2)


def constant_distribution(quantiles: ArrayLike, n_samples: int) -> ErrorDistribution:
    """Say the same of every sample.

    Parameters
    ----------
    quantiles : array-like of shape (n_levels,)
        Quantiles of the error at evenly spaced levels, from 0 to 1; ties are merged.
    n_samples : int
        Number of rows.

    Returns
    -------
    ErrorDistribution
        `n_samples` equal rows.
    """
    ascending = np.asarray(quantiles, dtype=np.float64)
    edges = np.unique(ascending)
    steps = np.diff(np.searchsorted(ascending, edges, side="right")).astype(np.float64)
    return ErrorDistribution(np.broadcast_to(steps / steps.sum(), (n_samples, len(steps))), edges)
