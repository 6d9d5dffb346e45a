"""Batches of errors, checked before they are added to the epoch under way."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["check_batch"]

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
