"""Arrays of real numbers, each checked with a message that says what was given."""

from __future__ import annotations

from collections.abc import Sized
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.missing import fill_masked, find_missing

__all__ = [
    "FloatArray",
    "as_binary",
    "as_errors_and_scores",
    "as_floats",
    "as_fractions",
    "as_magnitudes",
    "as_real",
    "check_positive",
    "check_same_length",
]

FloatArray = NDArray[np.float64]


def as_real(values: ArrayLike, name: str) -> NDArray[Any]:
    """Convert to an array of real numbers, with NaN for what is missing or masked.

    Parameters
    ----------
    values : array-like
        The values. Text that looks like numbers is refused: it was read wrongly.
    name : str
        What they are, for the message.

    Returns
    -------
    ndarray of any real dtype
        The numbers, not copied where they are an array of them.

    Raises
    ------
    ValueError
        If they are of another kind.
    """
    array = np.asarray(fill_masked(values))
    if array.dtype == object:  # out of a data frame
        return _unpack(array, name)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"Expected {name} that are real numbers, got {array.dtype}.")
    return array


def _unpack(array: NDArray[np.object_], name: str) -> FloatArray:
    missing = find_missing(array)
    values = np.where(missing, np.nan, array)
    others = {kind.__name__ for kind in set(map(type, values.flat)) if not _is_number(kind)}
    if others:
        raise ValueError(
            f"Expected {name} that are real numbers, with NaN for what is missing, "
            f"got {', '.join(sorted(others))}."
        )
    try:
        return values.astype(np.float64)
    except OverflowError as error:
        raise ValueError(f"Expected {name} that are finite in float64: {error}.") from error


def _is_number(kind: type) -> bool:
    if kind is np.timedelta64:  # to numpy, an integer
        return False
    return issubclass(kind, Real | Decimal | np.bool_)


def as_floats(
    values: ArrayLike, name: str, *, ndim: int = 1, allow_infinite: bool = False
) -> FloatArray:
    """Convert to a non-empty float array of `ndim` dimensions without NaN."""
    array = as_real(values, name).astype(np.float64, copy=False)
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
    array = as_floats(np.atleast_1d(as_real(values, name)), name)
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


def check_same_length(**named: Sized) -> None:
    """Refuse arguments that do not describe the same samples."""
    lengths = {name: len(values) for name, values in named.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(f"Expected arguments of one length, got {got}.")


def check_positive(value: object, name: str) -> float:
    """Take one positive, finite number.

    Parameters
    ----------
    value : object
        The number, Python's or NumPy's.
    name : str
        What it is, for the message.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < np.inf:
        raise ValueError(f"Expected a positive, finite {name}, got {value!r}.")
    return float(value)
