"""Work cut into batches, so that no temporary array grows with the data."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["batches"]


def batches(n: int, size: int) -> Iterator[slice]:
    """Cut `n` rows into consecutive slices of bounded size.

    Parameters
    ----------
    n : int
        Number of rows; there are no slices of none.
    size : int
        Rows of each slice, but for the last one; taken as 1 where it is less, as where one
        row alone is more than is wanted at once.

    Yields
    ------
    slice
        From 0 on, each with its end within `n`.
    """
    size = max(1, size)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
