"""Checks of what is asked of a fitted estimator: latents without NaN, levels, tolerances."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from ltau._errors.bins import ErrorBins
from ltau._inputs.missing import fill_masked
from ltau._inputs.outputs import as_outputs, check_predictions_given

__all__ = [
    "as_latents",
    "check_bins",
    "check_latents",
    "check_level",
    "check_n_neighbors",
    "check_predictions",
    "check_scalar_predictions",
    "check_targets",
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
        and isfinite(np.vdot(X, X))  # what is not, or too large to tell, is looked at again
    ):
        return X
    return as_latents(estimator, X, reset=False)


def as_latents(estimator: BaseEstimator, X: ArrayLike, *, reset: bool) -> NDArray[np.floating]:
    """Take what can be turned into latents, and say what is wrong with anything else.

    Parameters
    ----------
    estimator : LTAUEstimator
        Remembers the width and the names of features, or has them.
    X : array-like of shape (n_samples, n_features)
        The latents; what a mask hides is missing, and missing ones are refused.
    reset : bool
        Whether these are the training samples.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        The latents.
    """
    with config_context(array_api_dispatch=False):  # a tensor would stay one
        checked: NDArray[np.floating] = validate_data(
            estimator, fill_masked(X), reset=reset, dtype=[np.float64, np.float32], order="C"
        )
    return checked


def check_bins(bins: str | ArrayLike) -> None:
    """Refuse edges that are none."""
    if isinstance(bins, str):
        return
    try:
        ErrorBins(bins)
    except ValueError as error:
        raise ValueError(f"Expected bins that are edges, got {bins!r}: {error}") from error


def check_n_neighbors(n_neighbors: int) -> int:
    """Refuse what is no number of neighbours."""
    if not isinstance(n_neighbors, int | np.integer) or n_neighbors < 1:
        raise ValueError(f"Expected n_neighbors >= 1, got {n_neighbors!r}.")
    return int(n_neighbors)


def check_level(level: float) -> float:
    """Refuse more than one level; its range is checked where it is used."""
    if type(level) is not float and np.ndim(level) != 0:
        raise ValueError(f"Expected one level from 0 to 1, got {level!r}.")
    return level


def check_tolerance(tolerance: ArrayLike) -> Floats:
    """Give tolerances the shape (m,)."""
    tolerances = np.atleast_1d(np.asarray(tolerance, dtype=np.float64))
    if tolerances.ndim != 1 or not tolerances.size or np.isnan(tolerances).any():
        raise ValueError(f"Expected a tolerance or a 1-D array of them, got {tolerance!r}.")
    return tolerances


def check_targets(targets: ArrayLike | None, n_samples: int) -> Floats | None:
    """Give the targets of the training samples the shape (n_samples, n_outputs)."""
    if targets is None:
        return None
    return as_outputs(targets, n_samples, None, "targets").copy()  # what is kept is our own


def check_predictions(
    y_pred: ArrayLike | None, n_samples: int, targets: Floats | None
) -> Floats | None:
    """Give predictions the shape (n_samples, n_outputs) of the targets seen at fit.

    Parameters
    ----------
    y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
        The model's predictions.
    n_samples : int
        Number of samples.
    targets : ndarray of shape (n, n_outputs) or None
        The targets seen at fit.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), float64, or None
        The predictions; None where there are no targets to compare them with.

    Raises
    ------
    ValueError
        If they are missing, not asked for, of another shape, NaN or infinite.
    """
    check_predictions_given(y_pred is not None, targets is not None)
    if y_pred is None or targets is None:
        return None
    return as_outputs(y_pred, n_samples, targets.shape[1], "y_pred")


def check_scalar_predictions(y_pred: ArrayLike, n_samples: int) -> Floats:
    """Check that there is one prediction of the target for each sample, shape (n_samples,)."""
    return as_outputs(y_pred, n_samples, 1, "y_pred")[:, 0]
