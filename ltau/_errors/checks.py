"""Checks of input, each with a message that says what was expected and what was given."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.numbers import as_real
from ltau.log import ErrorLog

__all__ = [
    "check_observed",
    "check_seen",
    "check_trajectories",
    "n_burnt_in",
]


def check_trajectories(
    errors: ArrayLike | ErrorLog, n_samples: int
) -> NDArray[np.generic] | ErrorLog:
    """Check that errors are real and of shape (n_samples, n_epochs); values are binned later."""
    array = errors if isinstance(errors, ErrorLog) else as_real(errors, "errors")
    if array.ndim != 2:
        raise ValueError(
            "Expected error trajectories of shape (n_samples, n_epochs), got a "
            f"{array.ndim}D array of shape {array.shape}. "
            "Reshape one epoch of errors with errors.reshape(-1, 1)."
        )
    if len(array) != n_samples:
        transposed = " They look transposed: pass errors.T." if n_samples in array.shape else ""
        raise ValueError(
            f"Expected trajectories of {n_samples} samples, as many as there are latents, got "
            f"errors of shape {array.shape}.{transposed}"
        )
    if array.shape[1] == 0:
        raise ValueError("Expected at least one epoch of errors, got none.")
    return array


def n_burnt_in(burn_in: float, n_epochs: int) -> int:
    """Count the first epochs to leave out; at least one must remain."""
    is_number = np.issubdtype(type(burn_in), np.integer)  # of epochs; else a fraction of them
    n = int(burn_in) if is_number else round(float(burn_in) * n_epochs)
    if n >= n_epochs:
        raise ValueError(f"burn_in={burn_in} leaves none of the {n_epochs} epochs.")
    return n


def check_seen(seen: NDArray[np.bool_], first: int = 0) -> None:
    """Refuse samples, numbered from `first`, without any error: their density is unknown."""
    unseen = first + np.flatnonzero(~seen)
    if unseen.size:
        some = ", ".join(map(str, unseen[:5])) + (", ..." if unseen.size > 5 else "")
        raise ValueError(
            f"Expected at least one error of every sample that is not NaN after the burn-in; "
            f"{unseen.size} samples have none: {some}. Leave them out of latents and errors."
        )


def check_observed(errors: ArrayLike) -> NDArray[np.float64]:
    """Check observed errors, and give them the shape (n_samples, n_obs)."""
    array = as_real(errors, "errors").astype(np.float64, copy=False)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(
            f"Expected errors of shape (n_samples,) or (n_samples, n_obs), got {array.shape}."
        )
    if (array < 0).any() or np.isinf(array).any():
        raise ValueError("Expected non-negative, finite errors.")
    if np.isnan(array).all(axis=1).any():
        raise ValueError("Expected at least one error of every sample that is not NaN.")
    return array
