"""What ``log[rows, epochs]`` may be asked for."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

__all__ = ["rows_and_epochs"]


def rows_and_epochs(key: Any) -> tuple[Any, Any]:
    """Split an index in two, each of which means the same of one epoch as of all."""
    indices = key if isinstance(key, tuple) else (key,)
    if len(indices) > 2:
        raise IndexError(f"Expected log[rows] or log[rows, epochs], got {len(indices)} indices.")
    rows, epochs = (*indices, slice(None), slice(None))[:2]
    for index in (rows, epochs):
        single = isinstance(index, slice | Integral) and not isinstance(index, bool)
        if not single and np.ndim(index) != 1:
            raise IndexError(f"Expected an integer, a slice or a 1-D array, got {index!r}.")
    if np.ndim(rows) == np.ndim(epochs) == 1:
        raise IndexError(
            "Expected an array for the rows or for the epochs, got two: "
            "log[rows][:, epochs] gives all their pairs."
        )
    return rows, epochs
