"""Which values stand for nothing: None, NaN, NaT, pandas' NA, and what a mask hides."""

from __future__ import annotations

from numbers import Integral, Number
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["fill_masked", "find_missing"]

_NOTHING = ("NoneType", "NAType", "NaTType")  # by name: pandas need not be there


def find_missing(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the missing values of an array of any kind.

    Parameters
    ----------
    array : ndarray
        The values.

    Returns
    -------
    ndarray of the shape of `array`, bool
        Where they are missing.
    """
    if array.dtype.kind in "fc":
        return np.isnan(array)
    if array.dtype.kind in "mM":
        return np.isnat(array)
    if array.dtype == object and any(map(_may_be_missing, set(map(type, array.flat)))):
        missing = np.fromiter(map(_is_missing, array.flat), bool, array.size)
        return missing.reshape(array.shape)
    return np.zeros(array.shape, bool)


def fill_masked(values: ArrayLike) -> ArrayLike:
    """Put NaN where a masked array hides a value; another array stays what it is.

    `numpy.asarray`, and all that builds on it, would bring to light what is hidden.

    Parameters
    ----------
    values : array-like
        The values.

    Returns
    -------
    array-like
        The values, without a mask.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    mask = np.ma.getmaskarray(values)
    if not mask.any():
        return values.data
    data = values.data if values.dtype.kind == "f" else values.data.astype(object)
    return np.where(mask, np.nan, data)


def _may_be_missing(kind: type) -> bool:
    """Whether a type has values that are missing, so that each must be looked at."""
    if issubclass(kind, Number | np.generic):
        return not issubclass(kind, Integral)
    return kind.__name__ in _NOTHING


def _is_missing(value: Any) -> bool:
    if isinstance(value, Number | np.generic):
        return bool(value != value)
    return type(value).__name__ in _NOTHING
