"""Which of many frames and rows are drawn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["envelope", "frames_to_draw"]

Floats = NDArray[np.float64]


def frames_to_draw(
    largest: Floats, n_atoms: NDArray[np.integer], most: int
) -> tuple[NDArray[np.intp], int]:
    """Choose frames: the most uncertain ones, and others at even distances.

    Parameters
    ----------
    largest : ndarray of shape (n_frames,)
        The largest expected error of each frame; NaN where it is not known.
    n_atoms : ndarray of shape (n_frames,)
        How many atoms each has.
    most : int
        About how many atoms may be drawn. Half of them go to the most uncertain frames. At
        least one frame is drawn, whatever its size.

    Returns
    -------
    chosen : ndarray of intp
        Rows of the frames, in their order.
    n_uncertain : int
        How many of them were chosen as the most uncertain ones.
    """
    if n_atoms.sum() <= most:
        return np.arange(len(n_atoms)), len(n_atoms)
    falling = np.argsort(-np.nan_to_num(largest, nan=-1), kind="stable")
    n_uncertain = max(1, int((np.cumsum(n_atoms[falling]) <= most / 2).sum()))
    chosen, others = falling[:n_uncertain], np.sort(falling[n_uncertain:])
    left = most - n_atoms[chosen].sum()
    n_others = 0 if not others.size else int(left / max(1, n_atoms[others].mean()))
    even = others[np.unique(np.linspace(0, len(others) - 1, max(0, n_others)).astype(np.intp))]
    return np.sort(np.concatenate([chosen, even])), n_uncertain


def envelope(values: Floats, n_stretches: int) -> NDArray[np.intp]:
    """Choose the rows with the least and the largest value of each of some stretches.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        A number of each row.
    n_stretches : int
        Into how many stretches of equal length the rows are cut.

    Returns
    -------
    ndarray of intp
        The rows, in their order; all where there are no more than two for each stretch.
    """
    if len(values) <= 2 * n_stretches:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), n_stretches + 1).astype(np.intp)
    rows = []
    for first, last in pairwise(edges.tolist()):
        rows += [first + values[first:last].argmin(), first + values[first:last].argmax()]
    return np.unique(rows)
