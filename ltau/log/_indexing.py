"""What ``log[rows, epochs]`` may be asked for, and which blocks of an epoch hold it."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Share", "rows_and_epochs", "shares"]


class Share(NamedTuple):
    """What a block has of the rows asked for."""

    block: int
    into: Any  # index of their places among the rows
    within: Any  # index of their places in the block


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


def shares(rows: Any, n_samples: int, size: int) -> list[Share]:
    """Share the rows of an index out to the blocks, of `size` samples, that hold them."""
    if isinstance(rows, Integral):
        block, place = divmod(int(rows) % n_samples, size)
        return [Share(block, (), place)]
    if isinstance(rows, slice):
        start, stop, step = rows.indices(n_samples)
        if step == 1:
            return _shares_of_range(start, stop, size)
        places = np.arange(start, stop, step)
    else:
        places = np.asarray(rows)
        places = np.flatnonzero(places) if places.dtype == bool else places.astype(np.intp)
        places = np.where(places < 0, places + n_samples, places)
    order = np.argsort(places, kind="stable")
    blocks, firsts = np.unique(places[order] // size, return_index=True)
    return [
        Share(int(block), into, places[into] - block * size)
        for block, into in zip(blocks, np.split(order, firsts[1:]), strict=len(blocks) > 0)
    ]


def _shares_of_range(start: int, stop: int, size: int) -> list[Share]:
    found = []
    for block in range(start // size, -(-stop // size) if stop > start else 0):
        first, last = max(start, block * size), min(stop, (block + 1) * size)
        within = slice(first - block * size, last - block * size)
        found.append(Share(block, slice(first - start, last - start), within))
    return found
