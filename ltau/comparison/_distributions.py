"""Distributions of the absolute error, one per sample."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from ltau.distribution import ErrorDistribution
from ltau.metrics import PredictiveDistribution

__all__ = ["ErrorModel", "HalfNormal", "constant_distribution"]

Floats = NDArray[np.float64]


class ErrorModel(PredictiveDistribution, Protocol):
    """A distribution of the absolute error a sample that also has means and quantiles."""

    def mean(self) -> Floats:
        """Compute the expected errors, shape (n_samples,)."""
        ...

    def quantile(self, q: float, /) -> Floats:
        """Compute the errors not exceeded with probability `q`, shape (n_samples,)."""
        ...


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
