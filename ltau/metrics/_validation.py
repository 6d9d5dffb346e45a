"""What every metric asks of its arguments, and says when it does not get it."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def as_floats(
    values: ArrayLike, name: str, *, ndim: int = 1, allow_infinite: bool = False
) -> FloatArray:
    """Convert to a non-empty float array of `ndim` dimensions without NaN."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim:
        raise ValueError(f"Expected {name} to be {ndim}-D, got shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"Expected at least one value in {name}, got none.")
    bad = np.isnan(array) if allow_infinite else ~np.isfinite(array)
    if bad.any():
        kind = "NaN" if allow_infinite else "NaN or infinite"
        raise ValueError(
            f"Expected {name} without {kind} values, got {np.count_nonzero(bad)} in {array.size}."
        )
    return array


def as_magnitudes(values: ArrayLike, name: str) -> FloatArray:
    """Convert to a float vector of finite, non-negative values."""
    array = as_floats(values, name)
    n_negative = np.count_nonzero(array < 0)
    if n_negative:
        raise ValueError(
            f"Expected {name} to be non-negative magnitudes, "
            f"got {n_negative} negative values in {array.size}."
        )
    return array


def as_fractions(values: ArrayLike, name: str) -> FloatArray:
    """Convert to a float vector of values in [0, 1]; a scalar becomes one value."""
    array = as_floats(np.atleast_1d(np.asarray(values)), name)
    if array.min() < 0 or array.max() > 1:
        raise ValueError(f"Expected {name} in [0, 1], got {array.min():g} to {array.max():g}.")
    return array


def as_binary(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    """Convert a vector of bool, or of 0 and 1, to bool."""
    array = as_floats(values, name)
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"Expected {name} to be bool, or 0 and 1.")
    return array.astype(np.bool_)


def as_errors_and_scores(errors: ArrayLike, predicted: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Convert observed errors, and scores whose order alone matters, to equally long vectors."""
    observed = as_magnitudes(errors, "errors")
    scores = as_floats(predicted, "predicted", allow_infinite=True)
    check_same_length(errors=observed, predicted=scores)
    return observed, scores


def as_groups(groups: ArrayLike) -> NDArray[Any]:
    """Convert to a vector of labels; a NaN label is no group."""
    array = np.asarray(groups)
    if array.ndim != 1:
        raise ValueError(f"Expected groups to be 1-D, got shape {array.shape}.")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError("Expected groups without NaN.")
    return array


def check_same_length(**named: Sized) -> None:
    """Refuse arguments that do not describe the same samples."""
    lengths = {name: len(values) for name, values in named.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(f"Expected arguments of one length, got {got}.")
