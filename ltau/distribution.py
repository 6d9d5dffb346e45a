"""Distributions of error over common bins: what LTAU predicts for each sample."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._maths.ties import between, level_to_reach, quantile_in_bin

__all__ = ["ErrorDistribution"]

Floats = NDArray[np.float64]


class ErrorDistribution:
    """One distribution of the error per row, uniform within each bin.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_bins)
        Probability that a sample's error lies in each bin; rows sum to 1.
    edges : array-like of shape (n_bins + 1,)
        Strictly increasing bin edges, common to all rows, in the unit of the error.
    scale : array-like of shape (n_samples,), optional
        Factor, positive and finite, by which each row's errors are stretched.
        By default 1.

    Attributes
    ----------
    probabilities : ndarray of shape (n_samples, n_bins)
        The probability of each bin.
    edges : ndarray of shape (n_bins + 1,)
        The edges, before stretching.
    scale : ndarray of shape (n_samples,)
        The factors.

    Raises
    ------
    ValueError
        If shapes do not fit, or a row is not a distribution.

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> distribution.mean()
    array([1.25, 0.65])
    >>> distribution.cdf(2.0)
    array([0.75, 0.95])
    >>> distribution.quantile([0.5, 0.95])
    array([[1.        , 2.8       ],
           [0.55555556, 2.        ]])
    """

    def __init__(
        self, probabilities: ArrayLike, edges: ArrayLike, scale: ArrayLike | None = None
    ) -> None:
        p = np.asarray(probabilities, dtype=np.float64)
        e = np.asarray(edges, dtype=np.float64)
        if p.ndim != 2 or e.ndim != 1 or len(e) != p.shape[1] + 1:
            raise ValueError(
                "Expected probabilities of shape (n_samples, n_bins) and n_bins + 1 edges, "
                f"got shapes {p.shape} and {e.shape}."
            )
        if not (np.isfinite(e).all() and (np.diff(e) > 0).all()):
            raise ValueError("Expected finite, strictly increasing edges.")
        if not (p >= 0).all() or not (np.abs(p.sum(axis=1) - 1) <= 1e-6).all():
            raise ValueError("Expected non-negative probabilities that sum to 1 in every row.")
        s = np.ones(len(p)) if scale is None else np.asarray(scale, dtype=np.float64)
        if s.shape != (len(p),) or not (np.isfinite(s).all() and (s > 0).all()):
            raise ValueError(f"Expected {len(p)} positive, finite scales, got shape {s.shape}.")
        self.probabilities = p
        self.edges = e
        self.scale = s

    def __len__(self) -> int:
        return len(self.scale)

    def __getitem__(self, rows: int | slice | NDArray[np.generic]) -> ErrorDistribution:
        """Take some rows, by an integer, a slice, a mask or an array of integers."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        return ErrorDistribution(self.probabilities[chosen], self.edges, self.scale[chosen])

    def __repr__(self) -> str:
        return f"ErrorDistribution(n_samples={len(self)}, n_bins={len(self._widths)})"

    @cached_property
    def probabilities(self) -> Floats:
        """Probability of each bin, shape (n_samples, n_bins)."""
        # Where nothing lies in a bin, rounding may leave a little less.
        return np.maximum(np.diff(self._cdf_at_edges), 0.0)

    @cached_property
    def _widths(self) -> Floats:
        return np.diff(self.edges)

    @cached_property
    def _cdf_at_edges(self) -> Floats:
        """Probability below each unscaled edge, shape (n_samples, n_bins + 1)."""
        cumulative = np.zeros((len(self), len(self.edges)))
        np.cumsum(self.probabilities, axis=1, out=cumulative[:, 1:])
        cumulative /= cumulative[:, -1:]
        return cumulative

    def pdf(self, x: ArrayLike) -> Floats:
        """Evaluate the probability densities.

        Parameters
        ----------
        x : float or array-like of shape (m,) or (n_samples, m)
            Errors, common to all rows or for each row its own.

        Returns
        -------
        ndarray of shape (n_samples,) for a scalar, else (n_samples, m)
            Density per unit of error; 0 outside the bins.

        Raises
        ------
        ValueError
            If `x` has another shape.
        """
        points = self._unscale(x)
        bins, _ = self._locate(points)
        density = np.take_along_axis(self.probabilities, bins, axis=1) / self._widths[bins]
        density /= self.scale[:, None]
        density[(points < self.edges[0]) | (points > self.edges[-1])] = 0.0
        density[np.isnan(points)] = np.nan
        return density[:, 0] if np.ndim(x) == 0 else density

    def cdf(self, x: ArrayLike) -> Floats:
        """Evaluate the cumulative distributions: P(error <= x).

        Parameters
        ----------
        x : float or array-like of shape (m,) or (n_samples, m)
            Errors, common to all rows or for each row its own.

        Returns
        -------
        ndarray of shape (n_samples,) for a scalar, else (n_samples, m)
            Probabilities, linear within each bin.

        Raises
        ------
        ValueError
            If `x` has another shape.
        """
        bins, fraction = self._locate(self._unscale(x))
        below = self._cdf_at(bins)
        probability = between(fraction, below, self._cdf_at(bins + 1))
        return probability[:, 0] if np.ndim(x) == 0 else probability

    def quantile(self, q: ArrayLike) -> Floats:
        """Find the errors not exceeded with given probabilities.

        Parameters
        ----------
        q : float or array-like of shape (m,) or (n_samples, m)
            Probabilities from 0 to 1, common to all rows or for each row its own. 0 gives
            the lower end of the support.

        Returns
        -------
        ndarray of shape (n_samples,) for a scalar, else (n_samples, m)
            The error at which the cumulative distribution reaches `q`; where it stays
            there for a while, the largest such error.

        Raises
        ------
        ValueError
            If a probability lies outside [0, 1], or `q` has another shape.
        """
        levels = np.asarray(q, dtype=np.float64)
        if levels.ndim > 2 or (levels.ndim == 2 and len(levels) != len(self)):
            raise ValueError(
                f"Expected a scalar, (m,) or ({len(self)}, m) probabilities, got {levels.shape}."
            )
        if not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError(f"Expected probabilities from 0 to 1, got {q!r}.")
        quantiles = quantiles_of(self, np.atleast_2d(levels))
        return quantiles[:, 0] if np.ndim(q) == 0 else quantiles

    def mean(self) -> Floats:
        """Compute the expected errors.

        Returns
        -------
        ndarray of shape (n_samples,)
            In the unit of the error.
        """
        centers = (self.edges[:-1] + self.edges[1:]) / 2
        return self.scale * (self.probabilities @ centers)

    def std(self) -> Floats:
        """Compute the standard deviations of the errors.

        Returns
        -------
        ndarray of shape (n_samples,)
            In the unit of the error.
        """
        centers = (self.edges[:-1] + self.edges[1:]) / 2
        mean = self.probabilities @ centers
        around = (centers - mean[:, None]) ** 2 + self._widths**2 / 12
        return self.scale * np.sqrt((self.probabilities * around).sum(axis=1))

    def interval(self, level: float) -> Floats:
        """Find the central intervals that hold the errors with probability `level`.

        Parameters
        ----------
        level : float
            Probability from 0 to 1.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends, with as much probability below as above.

        Raises
        ------
        ValueError
            If `level` lies outside [0, 1].
        """
        if not 0 <= level <= 1:
            raise ValueError(f"Expected a level from 0 to 1, got {level!r}.")
        return self.quantile([(1 - level) / 2, (1 + level) / 2])

    def sample(self, size: int, random_state: int | np.random.Generator | None = None) -> Floats:
        """Draw errors.

        Parameters
        ----------
        size : int
            Number of draws per row.
        random_state : int, numpy.random.Generator or None, default=None
            Seed or source of the random numbers.

        Returns
        -------
        ndarray of shape (n_samples, size)
            Independent draws.
        """
        rng = np.random.default_rng(random_state)
        return quantiles_of(self, rng.random((len(self), size)))

    def crps(self, errors: ArrayLike) -> Floats:
        r"""Compute the continuous ranked probability scores, in closed form.

        .. math:: \mathrm{CRPS}(F, e) = \int (F(x) - [x \ge e])^2 \, dx

        Parameters
        ----------
        errors : array-like of shape (n_samples,) or (n_samples, n_obs)
            Observed errors; NaN gives NaN.

        Returns
        -------
        ndarray of the shape of `errors`
            Scores in the unit of the error; lower is better, 0 is perfect.

        Raises
        ------
        ValueError
            If the number of rows differs.

        References
        ----------
        Gneiting and Raftery, *J. Am. Stat. Assoc.* 102 (2007) 359,
        doi:10.1198/016214506000001437.
        """
        observed = np.asarray(errors, dtype=np.float64)
        if observed.ndim not in (1, 2) or len(observed) != len(self):
            raise ValueError(
                f"Expected errors of shape ({len(self)},) or ({len(self)}, n_obs), "
                f"got {observed.shape}."
            )
        points = (observed[:, None] if observed.ndim == 1 else observed) / self.scale[:, None]
        inside = np.clip(points, self.edges[0], self.edges[-1])
        bins, fraction = self._locate(points)
        width = self._widths[bins]
        before, after = self._cdf_at(bins), self._cdf_at(bins + 1)
        here = between(fraction, before, after)
        score = (
            np.take_along_axis(self._squared_cdf_below, bins, axis=1)
            + fraction * width * _mean_square(before, here)
            + (1 - fraction) * width * _mean_square(1 - here, 1 - after)
            + np.take_along_axis(self._squared_survival_above, bins + 1, axis=1)
            + np.abs(points - inside)
        )
        return (self.scale[:, None] * score).reshape(observed.shape)

    def scaled(self, factor: ArrayLike) -> ErrorDistribution:
        """Stretch the errors of each row.

        Parameters
        ----------
        factor : float or array-like of shape (n_samples,)
            Positive and finite: if `e` followed a row, ``factor * e`` follows the new one.

        Returns
        -------
        ErrorDistribution
            The stretched distributions.

        Raises
        ------
        ValueError
            If a factor is not positive and finite, or their number differs.
        """
        scale = self.scale * np.asarray(factor, dtype=np.float64)
        return ErrorDistribution(self.probabilities, self.edges, scale)

    @cached_property
    def _squared_cdf_below(self) -> Floats:
        """Integral of the squared CDF from the first edge to each edge."""
        cdf = self._cdf_at_edges
        integral = np.zeros_like(cdf)
        np.cumsum(self._widths * _mean_square(cdf[:, :-1], cdf[:, 1:]), axis=1, out=integral[:, 1:])
        return integral

    @cached_property
    def _squared_survival_above(self) -> Floats:
        """Integral of the squared survival function from each edge to the last edge."""
        survival = 1 - self._cdf_at_edges
        in_bins = self._widths * _mean_square(survival[:, :-1], survival[:, 1:])
        integral = np.zeros_like(survival)
        integral[:, :-1] = np.cumsum(in_bins[:, ::-1], axis=1)[:, ::-1]
        return integral

    def _unscale(self, x: ArrayLike) -> Floats:
        """Points of each row in the unit of the edges, shape (n_samples, m)."""
        points = np.asarray(x, dtype=np.float64)
        if points.ndim > 2 or (points.ndim == 2 and len(points) != len(self)):
            raise ValueError(
                f"Expected a scalar, (m,) or ({len(self)}, m) values, got shape {points.shape}."
            )
        return np.atleast_2d(points) / self.scale[:, None]

    def _locate(self, points: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Bin of each point, and how far into the bin it lies, from 0 to 1."""
        bins = np.searchsorted(self.edges, points, side="right") - 1
        bins = np.clip(bins, 0, len(self._widths) - 1)
        fraction = np.clip((points - self.edges[bins]) / self._widths[bins], 0.0, 1.0)
        return bins, fraction

    def _cdf_at(self, edge: NDArray[np.intp]) -> Floats:
        return np.take_along_axis(self._cdf_at_edges, edge, axis=1)


def distribution_of(cdf: Floats, edges: Floats, scale: Floats | None = None) -> ErrorDistribution:
    """Make distributions of what is known to be such; nothing is checked.

    Parameters
    ----------
    cdf : ndarray of shape (n_samples, n_bins + 1), float64
        Probability below each edge, from 0 to 1.
    edges : ndarray of shape (n_bins + 1,), float64
        The edges.
    scale : ndarray of shape (n_samples,), float64, optional
        Factors of the errors.

    Returns
    -------
    ErrorDistribution
        The distributions.
    """
    distribution = ErrorDistribution.__new__(ErrorDistribution)
    distribution.edges = edges
    distribution.scale = np.ones(len(cdf)) if scale is None else scale
    distribution._cdf_at_edges = cdf
    return distribution


def quantiles_of(distribution: ErrorDistribution, levels: Floats) -> Floats:
    """Find quantiles, by the tie rule, at levels that are known to be such: nothing is checked.

    They have the shape (n_samples, m), or (1, m) if they are common to all; quantiles the first.
    """
    cdf, edges = distribution._cdf_at_edges, distribution.edges
    rows = np.arange(len(cdf))
    quantiles = np.empty((len(cdf), levels.shape[1]))
    for column, level in enumerate(levels.T):
        bins = (cdf[:, 1:] < level_to_reach(level)[:, None]).sum(axis=1)
        ends = cdf[rows, bins], cdf[rows, bins + 1], edges[bins], edges[bins + 1]
        quantiles[:, column] = quantile_in_bin(level, *ends)
    return distribution.scale[:, None] * quantiles


def _mean_square(start: Floats, end: Floats) -> Floats:
    """Mean of the square of a function that runs linearly from `start` to `end`."""
    return (start * start + start * end + end * end) / 3
