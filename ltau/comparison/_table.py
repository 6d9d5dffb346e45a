"""Features of a table: numbers as they are, categories one-hot encoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.missing import fill_masked, find_missing
from ltau.comparison._rows import Floats

__all__ = ["Column", "Table", "as_table", "as_target"]

_MOST_CATEGORIES = 100  # of one column: more is a name or a number, and no category


@dataclass(frozen=True)
class Column:
    """A column as it came: numbers, or the codes of categories."""

    name: str
    values: Floats
    categories: tuple[str, ...] = ()

    def encode(self) -> Floats:
        """Give numbers as one column; categories as a column each, two of them as one."""
        if not self.categories:
            return self.values[:, None]
        codes = np.arange(len(self.categories))
        shown = codes[1:] if len(codes) <= 2 else codes
        return (self.values[:, None] == shown).astype(np.float64)


@dataclass(frozen=True)
class Table:
    """Features of shape (n_samples, n_columns)."""

    columns: tuple[Column, ...]

    def encode(self) -> Floats:
        """Give all features as numbers, shape (n_samples, n_features)."""
        return np.concatenate([column.encode() for column in self.columns], axis=1)

    @property
    def categorical(self) -> tuple[Column, ...]:
        """Columns of categories."""
        return tuple(column for column in self.columns if column.categories)


def as_table(X: Any, categorical: Collection[str | int] = ()) -> Table:
    """Read features.

    Parameters
    ----------
    X : array-like, frame, or mapping of names to columns; shape (n_samples, n_columns)
        Features: numbers, and in frames and arrays of objects also text, which is categories.
    categorical : collection of str or int
        Names, or of an array the numbers, of columns whose numbers are categories.

    Returns
    -------
    Table
        The columns.

    Raises
    ------
    ValueError
        If values are missing or infinite, there are no columns, or a column has more than a
        hundred categories.
    """
    columns = _columns(X)
    unknown = [name for name in categorical if name not in columns]
    if unknown:
        raise ValueError(f"Expected categorical columns of {list(columns)}, got {unknown}.")
    if not columns:
        raise ValueError("Expected at least one column of features, got none.")
    shapes = {values.shape for values in columns.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"Expected columns of one value for each row, got shapes {shapes}.")
    return Table(
        tuple(
            _column(str(name), values, as_categories=name in categorical)
            for name, values in columns.items()
        )
    )


def _columns(X: Any) -> dict[Any, NDArray[Any]]:
    if isinstance(X, Mapping):
        return {name: np.asarray(values) for name, values in X.items()}
    if hasattr(X, "columns"):  # a frame, of whichever library
        return {name: np.asarray(X[name]) for name in X.columns}
    array = np.asarray(fill_masked(X))
    if array.ndim != 2:
        raise ValueError(f"Expected X of shape (n_samples, n_columns), got {array.shape}.")
    return dict(enumerate(array.T))


def _column(name: str, values: NDArray[Any], *, as_categories: bool) -> Column:
    n_missing = int(np.count_nonzero(find_missing(values)))
    if n_missing:
        raise ValueError(
            f"Expected column {name!r} without missing values, got {n_missing} missing of "
            f"{len(values)}. Leave these rows out, or fill them in."
        )
    if not as_categories and (numbers := _numbers(values)) is not None:
        n_infinite = int(np.count_nonzero(~np.isfinite(numbers)))
        if n_infinite:
            raise ValueError(f"Expected column {name!r} to be finite, got {n_infinite} infinite.")
        return Column(name, numbers)
    categories, codes = np.unique(values.astype(str), return_inverse=True)
    if len(categories) > _MOST_CATEGORIES:
        raise ValueError(
            f"Expected column {name!r} of numbers, or of at most {_MOST_CATEGORIES} categories, "
            f"got {len(categories)} different values, such as {_a_text(categories)!r}. Leave the "
            "column out, or correct it."
        )
    return Column(name, codes.astype(np.float64), tuple(categories.tolist()))


def _numbers(values: NDArray[Any]) -> Floats | None:
    """Convert a column of numbers; None if it has anything else."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype == object and all(isinstance(v, int | float | np.number) for v in values):
        return values.astype(np.float64)
    return None


def _a_text(categories: NDArray[np.str_]) -> str:
    """Pick what keeps a column from being one of numbers."""
    for text in categories.tolist():
        try:
            float(text)
        except ValueError:
            return str(text)
    return str(categories[0])


def as_target(y: ArrayLike, n_rows: int) -> Floats:
    """Read the target."""
    array = np.asarray(fill_masked(y))
    if array.shape != (n_rows,):
        raise ValueError(f"Expected y of shape ({n_rows},), got {array.shape}.")
    numbers = _numbers(array)
    n_missing = int(np.count_nonzero(find_missing(array)))
    if n_missing:
        raise ValueError(f"Expected a target without missing values, got {n_missing} missing.")
    if numbers is None:
        raise ValueError(f"Expected a target of numbers, got {_a_text(array.astype(str))!r}.")
    if not np.isfinite(numbers).all():
        raise ValueError("Expected a finite target, got infinite values.")
    if numbers.min() == numbers.max():
        raise ValueError(f"Expected a target that varies, got {numbers[0]:g} in every row.")
    return numbers
