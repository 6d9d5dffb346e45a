"""What is usual among the training samples of all shards, task by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.own_distances import floor_of, log_sum, mean_of_others
from ltau._inputs.labels import check_size
from ltau.adapters.dask._merging import NOBODY, Nearest
from ltau.adapters.dask._shard import OwnMeans, PlaceTargets, Shard, StratumScale

__all__ = ["floors_of", "log_sums", "own_means", "with_floors"]

Floats = NDArray[np.float64]
Scales = Mapping[Any, StratumScale]


def own_means(
    shard: Shard, found: Nearest, told: list[PlaceTargets | None], scales: Scales, k: int
) -> OwnMeans:
    """Average the distances of a shard's places to their nearest others, and their targets.

    Where another shard has samples of a place, those are twins of it.

    Parameters
    ----------
    shard : Shard
        The shard.
    found : Nearest
        The nearest of each of its places, but for itself.
    told : list of PlaceTargets or None
        What each shard knows of the targets of what was found, in the order of their rows.
    scales : dict of label to StratumScale
        The strata.
    k : int
        Number of neighbours.

    Returns
    -------
    OwnMeans
        The means, the distances without a floor.
    """
    for label in shard.strata:
        check_size(
            scales[label].n_samples - 1, 1, label, "training samples besides the sample itself"
        )
    there = found.rows != NOBODY
    own = there & (found.places == shard.places()[:, None])
    own &= found.distances <= found.floors[:, None]
    twins = (shard.merged.sizes > 1) | own.any(axis=1)
    elsewhere = there & ~own & ~found.repeats()
    n_others = np.minimum(elsewhere.sum(axis=1), k)
    order = np.argsort(~elsewhere, axis=1, kind="stable")  # those elsewhere first, nearest first
    distances = np.take_along_axis(found.distances, order, axis=1)
    means, targets, apart = np.zeros(len(shard)), _targets(shard, found, own, told), None
    if targets is not None:
        mine, others = targets[0], np.take_along_axis(targets[1], order[:, :, None], axis=1)
        apart = np.zeros(len(shard))
    for n in np.unique(n_others[n_others > 0]):
        rows = n_others == n
        means[rows] = mean_of_others(distances[rows, :n], k, twins[rows])
        if apart is not None:
            parts = zip(others[rows, :n].transpose(2, 0, 1), mine[rows].T, strict=True)
            theirs = [mean_of_others(near, k, twins[rows], at) for near, at in parts]
            apart[rows] = np.linalg.norm(mine[rows] - np.stack(theirs, axis=1), axis=1)
    return OwnMeans(means, apart)


def _targets(
    shard: Shard, found: Nearest, own: NDArray[np.bool_], told: list[PlaceTargets | None]
) -> tuple[Floats, Floats] | None:
    """Give the mean targets of a shard's places, and of those that they found."""
    known = [part for part in told if part is not None]
    if shard.targets is None or not known:
        return None
    rows, sizes, targets = map(np.concatenate, zip(*known, strict=True))
    there = found.rows != NOBODY
    if not there.any():
        return shard.targets, np.zeros((*there.shape, shard.targets.shape[1]))
    numbers = np.searchsorted(rows, np.where(there, found.rows, rows[0]))
    held = np.where(there, sizes[numbers], 1.0)  # where there is nothing, anything
    others = targets[numbers]
    here, twins = shard.merged.sizes[:, None], own * held
    sums = here * shard.targets + (twins[:, :, None] * others).sum(axis=1)
    mine = sums / (here + twins.sum(axis=1, keepdims=True))
    return mine, found.means_of_places(others, held)


def log_sums(shard: Shard, means: OwnMeans, scales: Scales) -> dict[Any, tuple[float, int]]:
    """Sum what the floors of own distances follow from, stratum by stratum."""
    return {
        label: log_sum(means.distances[part.numbers], scales[label].floor)
        for label, part in shard.strata.items()
    }


def floors_of(parts: list[dict[Any, tuple[float, int]]], scales: Scales) -> dict[Any, float]:
    """Find the least own distance that counts, stratum by stratum."""
    floors = {}
    for label, stratum in scales.items():
        sums = [part[label] for part in parts if label in part]
        floors[label] = floor_of(stratum.floor, sum(s for s, _ in sums), sum(n for _, n in sums))
    return floors


def with_floors(shard: Shard, means: OwnMeans, floors: Mapping[Any, float]) -> OwnMeans:
    """Raise the own distances of a shard to the floors of their strata."""
    raised = means.distances.copy()
    for label, part in shard.strata.items():
        raised[part.numbers] = np.maximum(raised[part.numbers], floors[label])
    return means._replace(distances=raised)
