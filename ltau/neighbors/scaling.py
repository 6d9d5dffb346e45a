"""Linear scaling of latents before distances are taken."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau._arrays import Arrays
from ltau.neighbors.base import Vectors

__all__ = ["LatentScaler"]

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
            decorrelated. A direction in which the latents do not vary is measured in
            units of the root mean variance of all features.

        Returns
        -------
        LatentScaler
            The scaling.
        """
        mean = latents.mean(axis=0, dtype=np.float64)
        if scaling == "none":
            return cls(mean, None)
        covariance = _covariance(latents, mean)
        if scaling == "standardize":
            return cls(mean, np.diag(_inverse_std(np.diag(covariance))))
        if scaling == "whiten":
            variances, axes = np.linalg.eigh(covariance)
            return cls(mean, axes * _inverse_std(variances))
        raise ValueError(f"Expected scaling 'none', 'standardize' or 'whiten', got {scaling!r}.")

    def transform(self, latents: Vectors) -> Vectors:
        """Scale latents.

        Parameters
        ----------
        latents : ndarray of shape (n, n_features), float32
            The latents.

        Returns
        -------
        ndarray of shape (n, n_features), float32, C-contiguous
            The scaled latents.
        """
        scaled = np.empty(latents.shape, np.float32)
        for start in range(0, len(latents), _CHUNK_ROWS):
            centred = latents[start : start + _CHUNK_ROWS] - self.mean
            scaled[start : start + _CHUNK_ROWS] = (
                centred if self.matrix is None else centred @ self.matrix
            )
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


def _covariance(latents: Vectors, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(latents), _CHUNK_ROWS):
        centred = latents[start : start + _CHUNK_ROWS] - mean
        total += centred.T @ centred
    return total / len(latents)


def _inverse_std(variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse standard deviations; the root mean variance stands in for what vanishes."""
    mean = variances.mean()
    if mean <= 0:
        return np.ones_like(variances)
    rounding = variances.max() * len(variances) * np.finfo(np.float32).eps
    return 1 / np.sqrt(np.where(variances > rounding, variances, mean))
