"""Checks of what comes in, each with a message that says what was expected and what came."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau.log import ErrorLog

__all__ = [
    "check_groups",
    "check_observed",
    "check_seen",
    "check_strata",
    "check_trajectories",
    "n_burnt_in",
]


def check_trajectories(
    errors: ArrayLike | ErrorLog, n_samples: int
) -> NDArray[np.generic] | ErrorLog:
    """Check that errors are real and of shape (n_samples, n_epochs); values are binned later."""
    array = errors if isinstance(errors, ErrorLog) else _check_real(errors)
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


def check_strata(strata: ArrayLike | None, n_samples: int) -> NDArray[np.generic] | None:
    """Check that there is one class, an integer or a string, for each sample."""
    if strata is None:
        return None
    array = np.asarray(strata)
    if array.dtype == object:  # out of a data frame
        kinds = {str if isinstance(label, str) else type(label) for label in array.flat}
        if kinds not in ({str}, {int}):
            got = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(f"Expected strata that are all integers or all strings, got {got}.")
        array = np.array(array.tolist())
    if array.shape != (n_samples,) or array.dtype.kind not in "iuUb":
        raise ValueError(
            f"Expected strata of shape ({n_samples},), integers or strings, "
            f"got shape {array.shape}, {array.dtype}."
        )
    return array


def check_groups(groups: ArrayLike | None, n_samples: int) -> NDArray[np.generic] | None:
    """Check that there is one group, an integer or a string, for each sample."""
    try:
        return check_strata(groups, n_samples)
    except ValueError as error:
        raise ValueError(str(error).replace("strata", "groups")) from error


def check_observed(errors: ArrayLike) -> NDArray[np.float64]:
    """Check observed errors, and give them the shape (n_samples, n_obs)."""
    array = _check_real(errors).astype(np.float64, copy=False)
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


def _check_real(errors: ArrayLike) -> NDArray[np.generic]:
    if isinstance(errors, np.ma.MaskedArray):
        return np.ma.filled(errors.astype(np.float64), np.nan)
    array = np.asarray(errors)
    if array.dtype == object:  # numbers out of a data frame
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "Expected errors that are real numbers, with NaN for what is missing, got objects."
            ) from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"Expected errors that are real numbers, got {array.dtype}.")
    return array
