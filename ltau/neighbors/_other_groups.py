"""Nearest others of training samples that belong to another group than they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors._approximate import ApproximateIndex
from ltau.neighbors._base import NeighborIndex, Neighbors

__all__ = ["MIXED", "common_groups", "others_of_other_groups"]

Ints = NDArray[np.intp]

MIXED = -1  # the group of a place with samples of several: to every sample, one of them is another

_BATCH_VALUES = 1 << 22  # in the largest temporary of a search
_N_TRIED = 100  # samples by which the effort of an approximate index is found
_FARTHER = 0.01  # share by which the neighbours found may be farther than the true ones


def common_groups(groups: Ints, owners: Ints | None) -> Ints:
    """Give the group of each place.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,), intp
        Number of the group of each training sample, from 0.
    owners : ndarray of shape (n_samples,), intp, or None
        The place of each; None where each has one of its own.

    Returns
    -------
    ndarray of shape (n_places,), intp
        The group of all samples there, or `MIXED`.
    """
    if owners is None:
        return groups
    lowest = np.full(owners.max() + 1, groups.max())
    highest = np.zeros_like(lowest)
    np.minimum.at(lowest, owners, groups)
    np.maximum.at(highest, owners, groups)
    return np.where(lowest == highest, lowest, MIXED)


def others_of_other_groups(
    index: NeighborIndex, rows: Ints, k: int, groups: Ints
) -> Iterator[tuple[Ints, Neighbors]]:
    """Find the `k` nearest others of another group, in batches.

    More and more neighbours are searched of those samples whose nearest ones are still of
    their own group.

    Parameters
    ----------
    index : NeighborIndex
        Samples, at least two.
    rows : ndarray of shape (n,), intp
        Those to search for.
    k : int
        Number of neighbours.
    groups : ndarray of shape (n_vectors,), intp
        The group of every sample in the index; two that are `MIXED` differ.

    Yields
    ------
    rows : ndarray of shape (n_batch,), intp
        Samples.
    distances, indices : ndarray of shape (n_batch, k), or as many as there are
        Their neighbours.
    """
    with _enough_effort(index, rows, k, groups):
        yield from _search(index, rows, k, groups)


@contextmanager
def _enough_effort(index: NeighborIndex, rows: Ints, k: int, groups: Ints) -> Iterator[None]:
    """Let an approximate index look farther: what it was tuned to find may all be of one group."""
    if not isinstance(index, ApproximateIndex) or not len(rows):
        yield
        return
    effort = index.effort
    tried = np.sort(np.random.default_rng(0).permutation(rows)[:_N_TRIED])
    true = _mean_distances(index, tried, k, groups)
    try:
        while index.effort < index.max_effort:
            found = np.empty(len(true))
            for part, (distances, _) in _search(index, tried, k, groups):
                found[np.searchsorted(tried, part)] = distances.mean(axis=1)
            if found.sum() <= (1 + _FARTHER) * true.sum():
                break
            index.effort = min(2 * index.effort, index.max_effort)
        yield
    finally:
        index.effort = effort


def _mean_distances(index: NeighborIndex, rows: Ints, k: int, groups: Ints) -> NDArray[np.float64]:
    """Give mean distances to the `k` nearest of other groups, by comparison with all."""
    vectors, nearest = index.vectors_of(rows), np.full((len(rows), k), np.inf)
    size = max(1, _BATCH_VALUES // (len(rows) * vectors.shape[1]))
    for start in range(0, len(groups), size):
        others = np.arange(start, min(start + size, len(groups)))
        apart = np.linalg.norm(vectors[:, None] - index.vectors_of(others), axis=2)
        mine = groups[rows][:, None]
        same = (rows[:, None] == others) | ((groups[others] == mine) & (mine != MIXED))
        near = np.where(same, np.inf, apart)
        nearest = np.sort(np.concatenate([nearest, near], axis=1), axis=1)[:, :k]
    there = np.isfinite(nearest)
    return np.where(there, nearest, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)


def _search(
    index: NeighborIndex, rows: Ints, k: int, groups: Ints
) -> Iterator[tuple[Ints, Neighbors]]:
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    own = np.where(groups[rows] == MIXED, 1, sizes[number[rows]])
    wanted = np.minimum(k, len(groups) - own)
    for n in np.unique(wanted[wanted > 0]).tolist():
        left, width = rows[wanted == n], min(2 * n, len(groups) - 1)
        while len(left):
            still = []
            batch = max(1, _BATCH_VALUES // (index.vectors.shape[1] + 2 * width))
            for start in range(0, len(left), batch):
                part = left[start : start + batch]
                distances, found = index.search_others(part, width)
                mine = groups[part][:, None]
                other = (groups[found] != mine) | (mine == MIXED)
                enough = other.sum(axis=1) >= n
                still.append(part[~enough])
                nearest = np.argsort(~other[enough], axis=1, kind="stable")[:, :n]
                yield (
                    part[enough],
                    (
                        np.take_along_axis(distances[enough], nearest, axis=1),
                        np.take_along_axis(found[enough], nearest, axis=1),
                    ),
                )
            left, width = np.concatenate(still), min(2 * width, len(groups) - 1)
