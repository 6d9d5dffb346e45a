"""The features of samples, as numbers whose distances show what lies beyond those seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, issparse
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import _safe_indexing, check_array

from ltau.adapters.sklearn._hashing import hash_columns

__all__ = ["Features"]

Columns = NDArray[np.intp]
Counts = NDArray[np.intp]
Floats = NDArray[np.float64]

_GAPS: list[Callable[[Floats], NDArray[np.bool_]]] = [np.isnan, np.isposinf, np.isneginf]
_FAR = 10.0  # where a value is put that is like none seen, in standard deviations
_FARTHEST = 1e15  # standard deviations: the squares of more would not fit in float32


class Features:
    """Encodes features: numbers standardised, categories one-hot, what is new far away.

    Two different categories are as far apart as two numbers usually are. A category that was
    not among those seen, a value where all were the same, or one that is missing or infinite
    where none was, has nothing that it could be near to: it is put ten standard deviations
    away.

    Parameters
    ----------
    X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        The samples seen, as the regressor takes them.
    categorical : ndarray of shape (n_features,), bool, or None
        Which numbers are codes of categories. Columns of text, and those of frames that are
        categories by their type, are known without.
    """

    def __init__(self, X: Any, categorical: NDArray[np.bool_] | None) -> None:
        table = _as_table(X)
        codes = np.zeros(table.shape[1], np.bool_) if categorical is None else categorical
        are_names = codes | _are_names(table)
        self._of_numbers, self._of_names = np.flatnonzero(~are_names), np.flatnonzero(are_names)
        self._numbers = _Numbers(_numbers(table, self._of_numbers))
        self._names = _Names(_names(table, self._of_names))

    def encode(self, X: Any) -> Floats:
        """Encode samples.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples with the features of those seen.

        Returns
        -------
        ndarray of shape (n_samples, at most 65), float64
            More than 64 columns are hashed. The last one, for what is new, is 0 for what
            was seen.
        """
        table = _as_table(X)
        numbers, new_numbers = self._numbers.encode(_numbers(table, self._of_numbers))
        names, new_names = self._names.encode(_names(table, self._of_names))
        columns = hstack([numbers, names], format="csr") if names.shape[1] else numbers
        return np.column_stack([hash_columns(columns), _FAR * np.sqrt(new_numbers + new_names)])


class _Numbers:
    """Standardises columns of numbers. Those with gaps get a column of their own for them."""

    def __init__(self, seen: Floats) -> None:
        is_finite = np.isfinite(seen)
        self._had = [is_gap(seen).any(axis=0) for is_gap in _GAPS]
        known = np.where(is_finite, seen, np.nan)
        self._low, high = np.fmin.reduce(known), np.fmax.reduce(known)
        self._varies = self._low < high  # not where nothing is known
        self._gaps = ~is_finite.all(axis=0)
        self._range = (high - self._low)[self._varies]
        unit = self._to_unit_range(known)
        self._mean, self._std = np.nanmean(unit, axis=0), np.nanstd(unit, axis=0)

    def encode(self, numbers: Floats) -> tuple[Floats, Counts]:
        """Standardise; count, of each sample, the values that are like none seen."""
        is_finite = np.isfinite(numbers)
        scores = (self._to_unit_range(numbers) - self._mean) / self._std
        scores = np.where(is_finite[:, self._varies], scores, 0).clip(-_FARTHEST, _FARTHEST)
        is_new = is_finite & ~self._varies & ~np.isclose(numbers, self._low, atol=0)
        for is_gap, had in zip(_GAPS, self._had, strict=True):
            is_new |= is_gap(numbers) & ~had
        return np.hstack([scores, ~is_finite[:, self._gaps]]), is_new.sum(axis=1)

    def _to_unit_range(self, numbers: Floats) -> Floats:
        """Bring what was seen of the columns that vary between 0 and 1: squares cannot overflow."""
        return (numbers[:, self._varies] - self._low[self._varies]) / self._range


class _Names:
    """Gives each category of each column a column of its own."""

    def __init__(self, seen: NDArray[np.object_]) -> None:
        self._encoder = OneHotEncoder(handle_unknown="ignore")
        if seen.shape[1]:
            self._encoder.fit(seen)

    def encode(self, names: NDArray[np.object_]) -> tuple[csr_array, Counts]:
        """Mark the categories; count, of each sample, those that were not seen."""
        known = self._encoder.transform(names) if names.shape[1] else names.shape
        marks = csr_array(known, dtype=np.float64)
        return marks, names.shape[1] - marks.sum(axis=1).astype(np.intp)


def _as_table(X: Any) -> Any:
    """Keep frames and arrays as they are. Many sparse columns are hashed: they have one unit."""
    if issparse(X):
        return hash_columns(X.astype(np.float64))
    return np.asarray(X) if isinstance(X, list) else X


def _are_names(table: Any) -> NDArray[np.bool_]:
    """Whether each column holds categories, by its type or because it cannot be numbers."""
    n_columns = table.shape[1]
    if isinstance(table, np.ndarray) and table.dtype.kind in "biuf":
        return np.zeros(n_columns, np.bool_)
    columns = (_safe_indexing(table, column, axis=1) for column in range(n_columns))
    return np.fromiter((_holds_names(column) for column in columns), np.bool_, n_columns)


def _holds_names(column: Any) -> bool:
    if str(getattr(column, "dtype", "")).lower().startswith(("categor", "enum")):
        return True
    try:
        check_array(column, ensure_2d=False, dtype=np.float64, ensure_all_finite=False)
    except ValueError:
        return True
    return False


def _numbers(table: Any, columns: Columns) -> Floats:
    taken = _take(table, columns)
    return check_array(taken, dtype=np.float64, ensure_all_finite=False, ensure_min_features=0)


def _names(table: Any, columns: Columns) -> NDArray[np.object_]:
    values = np.asarray(_take(table, columns), dtype=object)
    return np.frompyfunc(_label, 1, 1)(values)


def _label(value: object) -> str:
    """Write a category as text, so that those of all types can be sorted: 1 is 1.0, but not "1"."""
    return repr(value) if isinstance(value, str) else str(value).removesuffix(".0")


def _take(table: Any, columns: Columns) -> Any:
    """Take columns, or an array of none: a frame of polars without columns has no rows either."""
    none = np.empty((table.shape[0], 0))
    return _safe_indexing(table, columns, axis=1) if len(columns) else none
