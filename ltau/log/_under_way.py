"""The epoch under way: batches of errors, checked before they are added."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["add", "check_batch"]

Floats = NDArray[np.float32]


def check_batch(
    ids: ArrayLike, errors: ArrayLike, n_samples: int
) -> tuple[NDArray[np.intp], Floats]:
    """Check one batch, and give it the types in which it is kept."""
    rows, values = np.asarray(ids), np.asarray(errors)
    if rows.ndim != 1 or rows.shape != values.shape:
        raise ValueError(
            f"Expected ids and errors of the same shape (n,), got {rows.shape} and {values.shape}."
        )
    if rows.size and rows.dtype.kind not in "iu":
        raise ValueError(f"Expected ids that are integers, got {rows.dtype}.")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"Expected errors that are real numbers, got {values.dtype}.")
    if rows.size and not 0 <= rows.min() <= rows.max() < n_samples:
        raise ValueError(
            f"Expected ids from 0 to {n_samples - 1}, got {rows.min()} to {rows.max()}."
        )
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused
        values = values.astype(np.float32)
    bad = np.flatnonzero(~(values >= 0) | np.isinf(values))
    if bad.size:
        raise ValueError(
            "Expected errors that are non-negative and finite in float32, "
            f"got {values[bad[0]]:g} of sample {rows[bad[0]]}."
        )
    return rows.astype(np.intp), values


def add(under_way: Floats, rows: NDArray[np.intp], values: Floats) -> None:
    """Add a batch to the epoch under way, unless a sample would have two errors."""
    before = under_way[rows]
    under_way[rows] = values
    known = np.where(np.isnan(before), under_way[rows], before)
    clash = np.flatnonzero(known != values)
    if clash.size:
        under_way[rows] = before
        raise ValueError(
            f"Expected one error of each sample in an epoch, got {known[clash[0]]:g} and "
            f"{values[clash[0]]:g} of sample {rows[clash[0]]}. Call end_epoch() after each epoch."
        )
