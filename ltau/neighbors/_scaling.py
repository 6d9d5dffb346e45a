"""Linear scaling of latents before distances are taken."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau.neighbors._base import Vectors

__all__ = ["LatentScaler", "scatter"]

_CHUNK_ROWS = 1 << 16


class LatentScaler:
    """Centring, and optionally standardizing or whitening.

    Distances do not depend on the centre; centring keeps their rounding small.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float64
        What is subtracted.
    matrix : ndarray of shape (n_features, n_features), float64, or None
        What the centred rows are multiplied by.
    """

    def __init__(self, mean: NDArray[np.float64], matrix: NDArray[np.float64] | None) -> None:
        self.mean = mean
        self.matrix = matrix

    @classmethod
    def fit(cls, latents: Vectors, scaling: str) -> Self:
        """Learn the scaling.

        Parameters
        ----------
        latents : ndarray of shape (n, n_features), float32
            The latents.
        scaling : {"none", "standardize", "whiten"}
            Whether features are left as they are, brought to unit variance, or also
            decorrelated. A direction in which the latents do not vary beyond the rounding
            of float32 is measured in units of the root mean variance of all.

        Returns
        -------
        LatentScaler
            The scaling.
        """
        mean = latents.mean(axis=0, dtype=np.float64)
        if scaling == "none":
            return cls(mean, None)
        return cls.from_moments(mean, scatter(latents, mean) / len(latents), scaling)

    @classmethod
    def from_moments(
        cls, mean: NDArray[np.float64], covariance: NDArray[np.float64], scaling: str
    ) -> Self:
        """Make the scaling of latents of which the moments are known.

        Parameters
        ----------
        mean : ndarray of shape (n_features,), float64
            Their mean.
        covariance : ndarray of shape (n_features, n_features), float64
            Their covariance; not used if there is no scaling.
        scaling : {"none", "standardize", "whiten"}
            As in `fit`.

        Returns
        -------
        LatentScaler
            The scaling.
        """
        if scaling == "none":
            return cls(mean, None)
        if scaling == "standardize":
            variances = np.diag(covariance)
            return cls(mean, np.diag(_inverse_std(variances, mean**2 + variances)))
        if scaling == "whiten":
            variances, axes = np.linalg.eigh(covariance)
            return cls(mean, axes * _inverse_std(variances, (mean**2).max() + variances.max()))
        raise ValueError(f"Expected scaling 'none', 'standardize' or 'whiten', got {scaling!r}.")

    def transform(self, latents: Vectors, out: Vectors | None = None) -> Vectors:
        """Scale latents.

        Parameters
        ----------
        latents : ndarray of shape (n, n_features), float32
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
        limit = 0.5 * (np.finfo(np.float32).max / latents.shape[1]) ** 0.5
        for start in range(0, len(latents), _CHUNK_ROWS):
            chunk = latents[start : start + _CHUNK_ROWS] - self.mean
            if self.matrix is not None:
                chunk = chunk @ self.matrix
            largest = max(chunk.max(initial=0.0), -chunk.min(initial=0.0))
            if not largest < limit:
                raise ValueError(
                    f"Expected scaled latents below {limit:.3g}, whose squared distances fit in "
                    f"float32, got {largest:.3g}."
                )
            scaled[start : start + _CHUNK_ROWS] = chunk
        return scaled

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this scaling again."""
        return {
            "mean": self.mean,
            "matrix": np.empty((0, 0)) if self.matrix is None else self.matrix,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make the scaling again; raises ValueError where the arrays do not fit each other."""
        mean, matrix = arrays["mean"], arrays["matrix"]
        if not (
            mean.dtype == matrix.dtype == np.float64
            and mean.ndim == 1
            and len(mean)
            and matrix.shape in ((0, 0), (len(mean), len(mean)))
            and np.isfinite(mean).all()
            and np.isfinite(matrix).all()
        ):
            raise ValueError("The arrays of a scaling do not fit each other.")
        return cls(mean, matrix if len(matrix) else None)


def scatter(latents: Vectors, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the outer products of the rows less `mean`, shape (n_features, n_features)."""
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(latents), _CHUNK_ROWS):
        centred = latents[start : start + _CHUNK_ROWS] - mean
        total += centred.T @ centred
    return total


def _inverse_std(
    variances: NDArray[np.float64], mean_square: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Inverse standard deviations; the root mean variance stands in for what is rounding.

    Latents in float32 are rounded by their size, `mean_square`, whatever their variance.
    """
    rounding = (len(variances) * np.finfo(np.float32).eps) ** 2 * mean_square
    varies = variances > rounding
    if not varies.any():
        return np.ones_like(variances)
    return 1 / np.sqrt(np.where(varies, variances, variances.mean()))
