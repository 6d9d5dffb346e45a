"""Linear scaling of latents before distances are taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ltau._files.arrays import Arrays
from ltau.neighbors._base import Latents, Vectors

__all__ = ["LatentScaler", "extremes", "scatter", "unit_of"]

Floats = NDArray[np.float64]

_CHUNK_ROWS = 1 << 16
_FOLDED_ROWS = 64  # that are compared as one
_LARGEST_SQUARE = float(np.finfo(np.float32).max)  # of a distance
_ORDINARY = 2.0**-30, 2.0**40  # ranges of latents whose distances, squared, fit in float32
_LEAST_EXPONENT = -1000  # of a unit, whose inverse float64 must hold
_LIKE = 20  # doublings between features beyond which an eigensolver loses the lesser


class LatentScaler:
    """Centring, and optionally standardizing or whitening.

    Distances do not depend on the centre; centring keeps their rounding small.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float64
        What is subtracted.
    matrix : ndarray of shape (n_features, n_features), float64, or None
        What the centred rows are multiplied by.
    unit : float, default=1.0
        What a distance of 1 between scaled latents is between the latents as they came.
        A power of two where these are not scaled but too large or too small for float32;
        1 where they are ordinary, or scaled to unit variance, in which they are measured then.
    """

    def __init__(self, mean: Floats, matrix: Floats | None, unit: float = 1.0) -> None:
        self.mean = mean
        self.matrix = matrix
        self.unit = unit

    @classmethod
    def fit(cls, latents: Latents, scaling: str) -> Self:
        """Learn the scaling.

        Parameters
        ----------
        latents : ndarray of shape (n, n_features), float32 or float64
            The latents.
        scaling : {"none", "standardize", "whiten"}
            Whether features are left as they are, brought to unit variance, or also
            decorrelated. A direction in which the latents do not vary beyond the rounding
            of their type, or among like features by less than some 1e-7 of the most, is
            measured in units of the root mean variance of all.

        Returns
        -------
        LatentScaler
            The scaling.
        """
        mean, unit = _mean(latents), unit_of(*extremes(latents))
        if scaling == "none":
            return cls.from_moments(mean, np.empty((0, 0)), scaling, unit=unit)
        covariance = scatter(latents, mean, unit) / len(latents)
        return cls.from_moments(mean, covariance, scaling, unit=unit, dtype=latents.dtype)

    @classmethod
    def from_moments(
        cls,
        mean: Floats,
        covariance: Floats,
        scaling: str,
        *,
        unit: float = 1.0,
        dtype: DTypeLike = np.float32,
    ) -> Self:
        """Make the scaling of latents of which the moments are known.

        Parameters
        ----------
        mean : ndarray of shape (n_features,), float64
            Their mean.
        covariance : ndarray of shape (n_features, n_features), float64
            Their covariance, of latents measured in the unit; not used if there is no scaling.
        scaling : {"none", "standardize", "whiten"}
            As in `fit`.
        unit : float, default=1.0
            What they are measured in, as `unit_of` finds it.
        dtype : dtype, default=float32
            Type of the latents, in which they were rounded.

        Returns
        -------
        LatentScaler
            The scaling.
        """
        if scaling == "none":
            return cls(mean, None if unit == 1 else np.eye(len(mean)) / unit, unit)
        variances = np.diag(covariance)
        rounding = (len(mean) * np.finfo(dtype).eps) ** 2 * ((mean / unit) ** 2 + variances)
        if scaling == "standardize":
            return cls(mean, np.diag(_inverse_std(variances, rounding)) / unit)
        if scaling == "whiten":
            return cls(mean, _whitening(covariance, rounding) / unit)
        raise ValueError(f"Expected scaling 'none', 'standardize' or 'whiten', got {scaling!r}.")

    def transform(self, latents: Latents, out: Vectors | None = None) -> Vectors:
        """Scale latents, in float64 whatever their type, and round them to float32.

        Parameters
        ----------
        latents : ndarray of shape (n, n_features), float32 or float64
            The latents.
        out : ndarray of shape (n, n_features), float32, C-contiguous, optional
            Where to write the scaled ones; by default a new array.

        Returns
        -------
        ndarray of shape (n, n_features), float32, C-contiguous
            The scaled latents.

        Raises
        ------
        ValueError
            If they are so large that squared distances would overflow float32.
        """
        scaled = np.empty(latents.shape, np.float32) if out is None else out
        limit = 0.5 * (_LARGEST_SQUARE / latents.shape[1]) ** 0.5
        for start in range(0, len(latents), _CHUNK_ROWS):
            chunk = latents[start : start + _CHUNK_ROWS] - self.mean
            if self.matrix is not None:
                chunk = chunk @ self.matrix
            if not np.vdot(chunk, chunk) < limit**2:  # together they are seldom so large
                _refuse_large(chunk, limit)
            scaled[start : start + _CHUNK_ROWS] = chunk
        return scaled

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this scaling again."""
        matrix = np.empty((0, 0)) if self.matrix is None else self.matrix
        unit = {} if self.unit == 1 else {"unit": np.array(self.unit)}
        return {"mean": self.mean, "matrix": matrix, **unit}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make the scaling again; raises ValueError where the arrays do not fit each other."""
        mean, matrix = arrays["mean"], arrays["matrix"]
        unit = arrays.get("unit", np.array(1.0))
        if not (
            mean.dtype == matrix.dtype == unit.dtype == np.float64
            and mean.ndim == 1
            and len(mean)
            and matrix.shape in ((0, 0), (len(mean), len(mean)))
            and np.isfinite(mean).all()
            and np.isfinite(matrix).all()
            and unit.shape == ()
            and 0 < unit < np.inf
        ):
            raise ValueError("The arrays of a scaling do not fit each other.")
        return cls(mean, matrix if len(matrix) else None, float(unit))


def _refuse_large(scaled: Floats, limit: float) -> None:
    largest = np.abs(scaled).max(initial=0.0)
    if not largest < limit:
        raise ValueError(
            f"Expected scaled latents below {limit:.3g}, whose squared distances fit in "
            f"float32, got {largest:.3g}."
        )


def scatter(latents: Latents, mean: Floats, unit: float = 1.0) -> Floats:
    """Sum the outer products of the rows less `mean`, shape (n_features, n_features).

    The rows are measured in `unit`, so that their products neither overflow nor vanish.
    """
    total = np.zeros((len(mean), len(mean)))
    for centred in _centred(latents, mean):
        if unit != 1:
            centred /= unit
        total += centred.T @ centred
    return total


def extremes(latents: Latents) -> tuple[Floats, Floats]:
    """Find the smallest and the largest value of each feature, quickly."""
    n, width = latents.shape
    whole = n - n % _FOLDED_ROWS
    folded = latents[:whole].reshape(-1, _FOLDED_ROWS * width)
    lows = folded.min(axis=0, initial=np.inf).reshape(-1, width)
    highs = folded.max(axis=0, initial=-np.inf).reshape(-1, width)
    low = np.concatenate([lows, latents[whole:]]).min(axis=0)
    high = np.concatenate([highs, latents[whole:]]).max(axis=0)
    return low.astype(np.float64), high.astype(np.float64)


def _centred(latents: Latents, mean: Floats) -> Iterator[Floats]:
    """Subtract the mean in blocks."""
    for start in range(0, len(latents), _CHUNK_ROWS):
        yield latents[start : start + _CHUNK_ROWS] - mean


def _mean(latents: Latents) -> Floats:
    """Average, as exactly as the latents themselves are known."""
    mean: Floats = latents.mean(axis=0, dtype=np.float64)
    if latents.dtype == np.float64:  # the sum was rounded by more than one of its terms
        mean += sum(rows.sum(axis=0) for rows in _centred(latents, mean)) / len(latents)
    return mean


def unit_of(low: Floats, high: Floats) -> float:
    """Choose what to measure latents in: 1, unless their range is out of the ordinary."""
    widest = float((high - low).max())
    least, most = _ORDINARY
    if widest == 0 or least < widest < most:
        return 1.0
    return float(np.ldexp(1.0, max(np.frexp(widest)[1], _LEAST_EXPONENT)))


def _whitening(covariance: Floats, rounding: Floats) -> Floats:
    """Make the matrix of unit variance and no correlation.

    Parameters
    ----------
    covariance : ndarray of shape (n_features, n_features)
        The covariance.
    rounding : ndarray of shape (n_features,)
        Variance that each feature may have by rounding; that of a direction follows.

    Returns
    -------
    ndarray of shape (n_features, n_features)
        The matrix, a direction a column.
    """
    units = _feature_units(np.diag(covariance), rounding)
    variances, axes = np.linalg.eigh(covariance / np.outer(units, units))
    by_features = axes.T**2 @ (rounding / units**2)
    by_solver = len(variances) * np.finfo(np.float64).eps * variances.max()
    return axes * _inverse_std(variances, np.maximum(by_features, by_solver)) / units[:, None]


def _feature_units(variances: Floats, rounding: Floats) -> Floats:
    """Choose units in which the features that vary have about like spreads.

    Powers of two, and the same for features that are not too unlike as they are.
    """
    varies = variances > rounding
    if not varies.any():
        return np.ones_like(variances)
    doublings = 0.5 * np.log2(np.where(varies, variances, variances.max()) / variances.max())
    return np.ldexp(1.0, _LIKE * np.rint(doublings / _LIKE).astype(int))


def _inverse_std(variances: Floats, rounding: Floats) -> Floats:
    """Inverse standard deviations; the root mean variance stands in for what is rounding."""
    varies = variances > rounding
    if not varies.any():
        return np.ones_like(variances)
    return 1 / np.sqrt(np.where(varies, variances, variances.mean()))
