"""How far a set of errors reaches, found in parts.

Non-negative float32 numbers sort as their bits do: the leading bits of a value are its
*cell*, 1/256 of the value wide. Counts of cells add up, whatever parts they come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.numbers import as_real

__all__ = [
    "CELL_BITS",
    "CELL_SHIFT",
    "CHUNK_VALUES",
    "NEGATIVE_CELLS",
    "ErrorRange",
    "as_float32",
    "cell_starts",
    "check_magnitudes",
]

CELL_BITS = 17  # sign, exponent and the 8 leading bits of the mantissa
CELL_SHIFT = np.uint32(32 - CELL_BITS)
NEGATIVE_CELLS = 1 << (CELL_BITS - 1)  # the first cell with the sign bit set

# Below this quantile of the positive errors, log bins would resolve accidents:
# a trajectory that crosses zero comes arbitrarily close to it.
_LOWEST_QUANTILE = 1e-3

CHUNK_VALUES = 1 << 15  # values handled at once: the temporaries stay in the cache


class ErrorRange:
    """Where the errors of a set begin and end, however it is parted and in which order.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau._errors.range import ErrorRange
    >>> first, second = ErrorRange(), ErrorRange()
    >>> first.update(np.full(100, 4.0))
    >>> second.update([np.nan, 0.25])
    >>> first.merge(second).limits()
    (0.25, 4.0)
    """

    def __init__(self) -> None:
        self._cell_counts = np.zeros(1 << CELL_BITS, np.int64)
        self._high = 0.0

    def update(self, errors: ArrayLike) -> None:
        """Take in some errors.

        Parameters
        ----------
        errors : array-like of any shape
            Non-negative errors; NaN = not seen, and ignored.

        Raises
        ------
        ValueError
            If an error is negative or infinite.
        """
        for chunk in _chunks(as_real(errors, "errors")):
            check_magnitudes(chunk)
            cells = (chunk.view(np.uint32) >> CELL_SHIFT).astype(np.intp)
            counts = np.bincount(cells.ravel())
            self._cell_counts[: len(counts)] += counts
            self._high = max(self._high, float(np.fmax.reduce(chunk, axis=None, initial=0.0)))

    def merge(self, other: ErrorRange) -> Self:
        """Take in the errors of another range.

        Parameters
        ----------
        other : ErrorRange
            What was found of other errors.

        Returns
        -------
        ErrorRange
            This range.
        """
        self._cell_counts += other._cell_counts
        self._high = max(self._high, other._high)
        return self

    def limits(self) -> tuple[float, float]:
        """Give the low quantile of the positive errors (to a cell), and the largest error.

        Returns
        -------
        low, high : float
            The limits, ``0 < low <= high / 10``.

        Raises
        ------
        ValueError
            If there is no error that is not NaN.
        """
        starts = cell_starts()
        counts = np.where(np.isnan(starts), 0, self._cell_counts)
        if not counts.any():
            raise ValueError("Expected at least one error that is not NaN.")
        # Bins need some width even where all errors are zero, or all the same.
        tiny = float(np.finfo(np.float32).tiny)
        high = max(self._high, 1e6 * tiny)
        up_to_cell = np.cumsum(counts[1:NEGATIVE_CELLS])
        cell = 1 + np.searchsorted(up_to_cell, _LOWEST_QUANTILE * up_to_cell[-1], side="right")
        return float(np.clip(starts[cell], tiny, high / 10)), high


def as_float32(errors: ArrayLike) -> NDArray[np.float32]:
    """Convert errors to the type in which they are binned."""
    array = as_real(errors, "errors")
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused
        return array.astype(np.float32, copy=False)


def cell_starts() -> NDArray[np.float32]:
    """Smallest magnitude in each cell."""
    cells = np.arange(1 << CELL_BITS, dtype=np.uint32)
    return (cells << CELL_SHIFT).view(np.float32)


def check_magnitudes(values: NDArray[np.float32]) -> None:
    """Refuse negative and infinite errors; NaN may pass."""
    low = np.fmin.reduce(values, axis=None, initial=np.inf)
    if low < 0:
        raise ValueError(
            f"Errors must be non-negative magnitudes, got {low:g}: take their absolute value."
        )
    if np.isinf(np.fmax.reduce(values, axis=None, initial=0.0)):
        raise ValueError("Errors must be finite in float32, got infinity.")


def _chunks(errors: NDArray[np.generic]) -> Iterator[NDArray[np.float32]]:
    """Yield the errors in contiguous float32 blocks, without a copy of the whole."""
    errors = np.atleast_1d(errors)
    rows = max(1, CHUNK_VALUES // max(1, errors[:1].size))
    for start in range(0, len(errors), rows):
        yield np.ascontiguousarray(as_float32(errors[start : start + rows]))
