"""Checks of what is asked of a fitted estimator: latents without NaN, levels, tolerances."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

__all__ = [
    "check_latents",
    "check_level",
    "check_n_neighbors",
    "check_predictions",
    "check_tolerance",
]

Floats = NDArray[np.float64]


def check_latents(estimator: BaseEstimator, X: ArrayLike, n_features: int) -> NDArray[np.floating]:
    """Refuse latents of another width, of other names, or with NaN or infinity.

    Those of a step in a simulation are what they should be, and are not looked at twice.
    """
    if (
        type(X) is np.ndarray
        and (X.dtype == np.float32 or X.dtype == np.float64)
        and X.flags.c_contiguous
        and X.ndim == 2
        and X.shape[1] == n_features
        and len(X)
        and not hasattr(estimator, "feature_names_in_")
        and np.isfinite(X).all()
    ):
        return X
    # Takes what else can be turned into latents, and says what is wrong.
    checked: NDArray[np.floating] = validate_data(
        estimator, X, reset=False, dtype=[np.float64, np.float32], order="C"
    )
    return checked


def check_n_neighbors(n_neighbors: int) -> int:
    """Refuse what is no number of neighbours."""
    if not isinstance(n_neighbors, int | np.integer) or n_neighbors < 1:
        raise ValueError(f"Expected n_neighbors >= 1, got {n_neighbors!r}.")
    return int(n_neighbors)


def check_level(level: float) -> float:
    """Refuse more than one level; its range is checked where it is used."""
    if np.ndim(level) != 0:
        raise ValueError(f"Expected one level from 0 to 1, got {level!r}.")
    return level


def check_tolerance(tolerance: ArrayLike) -> Floats:
    """Give tolerances the shape (m,)."""
    tolerances = np.atleast_1d(np.asarray(tolerance, dtype=np.float64))
    if tolerances.ndim != 1 or not tolerances.size or np.isnan(tolerances).any():
        raise ValueError(f"Expected a tolerance or a 1-D array of them, got {tolerance!r}.")
    return tolerances


def check_predictions(y_pred: ArrayLike, n_samples: int) -> Floats:
    """Check that there is one prediction of the target for each sample."""
    prediction = np.asarray(y_pred, dtype=np.float64)
    if prediction.shape != (n_samples,) or np.isnan(prediction).any():
        raise ValueError(
            f"Expected y_pred of shape ({n_samples},) without NaN, "
            f"got shape {prediction.shape}, {np.isnan(prediction).sum()} NaN."
        )
    return prediction
