"""Named arrays: what every part of an estimator is saved as."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches

__all__ = ["Arrays", "all_finite", "prefixed", "section", "sections"]

_CHUNK_ROWS = 1 << 14

Arrays = dict[str, NDArray[Any]]


def prefixed(prefix: str, arrays: Arrays) -> Arrays:
    """Put `prefix` before the name of each array."""
    return {prefix + name: array for name, array in arrays.items()}


def section(arrays: Arrays, prefix: str) -> Arrays:
    """Take the arrays whose names begin with `prefix`, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def sections(arrays: Arrays) -> dict[str, Arrays]:
    """Share out the arrays by the first word of their names, ``word.``, all in one pass."""
    shared: dict[str, Arrays] = {}
    for name, array in arrays.items():
        word, point, rest = name.partition(".")
        if point:
            shared.setdefault(word, {})[rest] = array
    return shared


def all_finite(array: NDArray[Any]) -> bool:
    """Tell whether all numbers are finite, in blocks: the array may lie in a mapped file."""
    return all(bool(np.isfinite(array[part]).all()) for part in batches(len(array), _CHUNK_ROWS))
