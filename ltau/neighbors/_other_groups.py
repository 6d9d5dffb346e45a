"""Nearest others of training samples that belong to another group than they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors._approximate import ApproximateIndex
from ltau.neighbors._base import NeighborIndex, Neighbors, Vectors

__all__ = [
    "MIXED",
    "common_factor",
    "common_groups",
    "nearest_of_other_groups",
    "others_of_other_groups",
]

Ints = NDArray[np.intp]

MIXED = -1  # the group of a place with samples of several: to every sample, one of them is another

_BATCH_VALUES = 1 << 22  # in the largest temporary of a search
_N_TRIED = 100  # samples by which the effort of an approximate index is found
_FARTHER = 0.01  # share by which the neighbours found may be farther than the true ones
_TOLERANCE = 0.025  # root mean square of the relative errors of mean distances


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


@dataclass(frozen=True)
class _Asked:
    """Samples whose nearest of other groups are searched, in the index or not."""

    index: NeighborIndex
    groups: Ints  # of each
    vectors_of: Callable[[Ints], Vectors]  # by their numbers
    nearest: Callable[[Ints, int], Neighbors]  # by their numbers
    rows: Ints | None  # in the index, if they are there

    @property
    def n_others(self) -> int:
        """How many may be found of each at most."""
        return len(self.index) - (self.rows is not None)

    def n_own(self, groups: Ints) -> Ints:
        """Count what may not be found of each: those of its own group, itself included."""
        names, sizes = np.unique(groups, return_counts=True)
        which = np.searchsorted(names, self.groups).clip(max=len(names) - 1)
        alike = np.where(names[which] == self.groups, sizes[which], 0)
        return np.where(self.groups == MIXED, int(self.rows is not None), alike)

    def are_alike(self, part: Ints, found: Ints, groups: Ints) -> NDArray[np.bool_]:
        """Tell which of the index are of the group of some, or are the same sample."""
        mine = self.groups[part][:, None]
        alike = (groups[found] == mine) & (mine != MIXED)
        return alike if self.rows is None else alike | (found == self.rows[part][:, None])


def others_of_other_groups(
    index: NeighborIndex, rows: Ints, k: int, groups: Ints, *, nearly: bool = False
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
    nearly : bool, default=False
        Whether it is enough to know their mean distances to 2.5 %, which are divided by the
        factor by which they are then too large.

    Yields
    ------
    rows : ndarray of shape (n_batch,), intp
        Samples.
    distances, indices : ndarray of shape (n_batch, k), or as many as there are
        Their neighbours.
    """
    asked = _Asked(
        index,
        groups[rows],
        lambda part: index.vectors_of(rows[part]),
        lambda part, width: index.search_others(rows[part], width),
        rows,
    )
    for part, found in _nearest(asked, k, groups, nearly):
        yield rows[part], found


def nearest_of_other_groups(
    index: NeighborIndex, queries: Vectors, k: int, asked: Ints, groups: Ints
) -> Iterator[tuple[Ints, Neighbors]]:
    """Find the `k` nearest of another group than queries have, in batches.

    Parameters
    ----------
    index : NeighborIndex
        Samples.
    queries : ndarray of shape (n_queries, n_features), float32, C-contiguous
        The queries, which are not among them.
    k : int
        Number of neighbours.
    asked : ndarray of shape (n_queries,), intp
        The group of every query.
    groups : ndarray of shape (n_vectors,), intp
        The group of every sample; two that are `MIXED` differ.

    Yields
    ------
    rows : ndarray of shape (n_batch,), intp
        Queries; none that has no neighbour.
    distances, indices : ndarray of shape (n_batch, k), or as many as there are
        Their neighbours.
    """
    among = _Asked(
        index,
        asked,
        lambda part: queries[part],
        lambda part, width: index.search(queries[part], width),
        None,
    )
    yield from _nearest(among, k, groups)


def _nearest(
    asked: _Asked, k: int, groups: Ints, nearly: bool = False
) -> Iterator[tuple[Ints, Neighbors]]:
    every = np.arange(len(asked.groups))
    with _enough_effort(asked, every, k, groups, nearly) as factor:
        for part, (distances, found) in _search(asked, every, k, groups):
            yield part, (distances / factor, found)


@contextmanager
def _enough_effort(
    asked: _Asked, every: Ints, k: int, groups: Ints, nearly: bool
) -> Iterator[float]:
    """Let an approximate index look farther: what it was tuned to find may all be of one group.

    Gives the factor to divide distances by.
    """
    index = asked.index
    if not isinstance(index, ApproximateIndex) or not len(every):
        yield 1.0
        return
    effort = index.effort
    tried = np.sort(np.random.default_rng(0).permutation(every)[:_N_TRIED])
    true = _mean_distances(asked, tried, k, groups)
    try:
        while True:
            found = np.zeros(len(true))
            for part, (distances, _) in _search(asked, tried, k, groups):
                found[np.searchsorted(tried, part)] = distances.mean(axis=1)
            if nearly:
                factor = common_factor(found, true)
            else:
                factor = 1.0 if found.sum() <= (1 + _FARTHER) * true.sum() else None
            if factor is not None or index.effort == index.max_effort:
                break
            index.effort = min(2 * index.effort, index.max_effort)
        yield factor or 1.0
    finally:
        index.effort = effort


def common_factor(found: NDArray[np.float64], true: NDArray[np.float64]) -> float | None:
    """Give the factor by which mean distances are too large, if it is about the same for most.

    Parameters
    ----------
    found, true : ndarray of shape (n,), float64
        Mean distances of some samples.

    Returns
    -------
    float or None
        The factor; None where the distances, divided by it, are off by more than 2.5 % (root
        mean square).
    """
    ratios = found[true > 0] / true[true > 0]
    if not ratios.size:
        return 1.0
    return float(ratios.mean()) if ratios.std() <= _TOLERANCE * ratios.mean() else None


def _mean_distances(asked: _Asked, tried: Ints, k: int, groups: Ints) -> NDArray[np.float64]:
    """Give mean distances to the `k` nearest of other groups, by comparison with all."""
    vectors, nearest = asked.vectors_of(tried), np.full((len(tried), k), np.inf)
    size = max(1, _BATCH_VALUES // (len(tried) * vectors.shape[1]))
    for start in range(0, len(groups), size):
        others = np.arange(start, min(start + size, len(groups)))
        apart = np.linalg.norm(vectors[:, None] - asked.index.vectors_of(others), axis=2)
        near = np.where(asked.are_alike(tried, others[None], groups), np.inf, apart)
        nearest = np.sort(np.concatenate([nearest, near], axis=1), axis=1)[:, :k]
    there = np.isfinite(nearest)
    return np.where(there, nearest, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)


def _search(asked: _Asked, rows: Ints, k: int, groups: Ints) -> Iterator[tuple[Ints, Neighbors]]:
    most = asked.n_others
    wanted = np.minimum(k, len(groups) - asked.n_own(groups)[rows])
    for n in np.unique(wanted[wanted > 0]).tolist():
        left, width = rows[wanted == n], min(2 * n, most)
        while len(left):
            still = []
            batch = max(1, _BATCH_VALUES // (asked.index.vectors.shape[1] + 2 * width))
            for start in range(0, len(left), batch):
                part = left[start : start + batch]
                distances, found = asked.nearest(part, width)
                other = ~asked.are_alike(part, found, groups)
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
            left, width = np.concatenate(still), min(2 * width, most)
