"""What is usual among the training samples of all shards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from dask import delayed
from distributed import Client, Future
from numpy.typing import NDArray

from ltau._fitted.own_distances import floor_of, log_sum, mean_of_others
from ltau._inputs.labels import check_size
from ltau.adapters.dask._cluster import gather, merge
from ltau.adapters.dask._merging import NOBODY, Nearest
from ltau.adapters.dask._places import Common, OwnPlaces, own_places, put_together, share_of
from ltau.adapters.dask._shard import OwnMeans, Shard, StratumScale

__all__ = ["learn_own"]

Floats = NDArray[np.float64]
Scales = Mapping[Any, StratumScale]


class _Told(NamedTuple):
    """Targets of some places of a shard."""

    rows: NDArray[np.intp]  # of the samples that stand for them, ascending
    targets: Floats  # (n, n_outputs)


def learn_own(
    shards: list[Future], scales: Future, k: int, client: Client
) -> tuple[list[Future], Floats]:
    """Measure how far the samples of all shards lie from each other, and their targets.

    Parameters
    ----------
    shards : list of Future of Shard
        The shards.
    scales : Future of dict of label to StratumScale
        The strata.
    k : int
        Number of neighbours.
    client : distributed.Client
        Client of the cluster.

    Returns
    -------
    own : list of Future of OwnMeans
        What is known of the places of each shard.
    floors : ndarray of shape (n_strata,)
        The least own distance that counts in each stratum.

    Raises
    ------
    ValueError
        If a stratum has a single sample.
    """
    places = [delayed(own_places)(shard) for shard in shards]
    shares = [
        [delayed(share_of)(other, asked) for other in shards if other is not shard]
        for shard, asked in zip(shards, places, strict=True)
    ]
    common = client.compute(list(map(delayed(put_together), shards, shares)))
    holders = list(zip(shards, common, strict=True))
    means = []
    for (shard, mine), asked in zip(holders, places, strict=True):
        # One more: in another shard a place itself may be found.
        near = [
            delayed(_search)(*holder, asked, mine, k + 1, holder[0] is shard) for holder in holders
        ]
        found = merge(near, k + 1)
        told = [delayed(_tell)(*holder, found) for holder in holders]
        means.append(delayed(_means)(shard, mine, found, told, scales, k))
    means = client.compute(means)
    parts = zip(holders, means, strict=True)
    sums = [delayed(_log_sums)(*holder, mean, scales) for holder, mean in parts]
    floors = gather(client, [delayed(_floors)(sums, scales)])[0]
    own = [delayed(_with_floors)(*each, floors) for each in zip(shards, means, strict=True)]
    return client.compute(own), np.array(list(floors.values()))


def _search(
    shard: Shard, theirs: Common, asked: OwnPlaces, mine: Common, k: int, own: bool
) -> Nearest:
    """Search the places of a shard among those of a shard, of other groups if there are any."""
    if theirs.groups is None or mine.groups is None:
        return shard.search(asked.queries, k, own=own)
    return shard.search_other_groups(asked.queries, k, mine.groups, theirs.groups, own=own)


def _tell(shard: Shard, common: Common, found: Nearest) -> _Told | None:
    """Tell the targets of those of some samples that are of a shard, if known."""
    if common.targets is None:
        return None
    here, numbers = shard.find(found.rows)
    return _Told(here, common.targets[numbers])


def _means(
    shard: Shard,
    common: Common,
    found: Nearest,
    told: list[_Told | None],
    scales: Scales,
    k: int,
) -> OwnMeans:
    """Average the distances of a shard's places to their nearest others, and the targets there."""
    for label in shard.strata:
        check_size(
            scales[label].n_samples - 1, 1, label, "training samples besides the sample itself"
        )
    itself = found.places == shard.places()[:, None]
    itself &= found.distances <= found.floors[:, None]
    elsewhere = (found.rows != NOBODY) & ~itself & ~found.repeats()
    n_others = np.minimum(elsewhere.sum(axis=1), k)
    order = np.argsort(~elsewhere, axis=1, kind="stable")  # those elsewhere first, nearest first
    distances = np.take_along_axis(found.distances, order, axis=1)
    which = np.take_along_axis(found.rows, order, axis=1)
    targets, twins = common.targets, common.twins
    means, apart = np.zeros(len(shard)), None if targets is None else np.zeros(len(shard))
    for n in np.unique(n_others[n_others > 0]):
        rows = n_others == n
        means[rows] = mean_of_others(distances[rows, :n], k, twins[rows])
        if targets is not None and apart is not None:
            parts = zip(_targets(which[rows, :n], told), targets[rows].T, strict=True)
            theirs = [mean_of_others(near, k, twins[rows], at) for near, at in parts]
            apart[rows] = np.linalg.norm(targets[rows] - np.stack(theirs, axis=1), axis=1)
    return OwnMeans(means, targets, apart)


def _targets(which: NDArray[np.intp], told: list[_Told | None]) -> Floats:
    """Look up the targets of some rows, shape (n_outputs, n, m)."""
    parts = (part for part in told if part is not None)
    rows, targets = map(np.concatenate, zip(*parts, strict=True))
    found: Floats = targets.T[:, np.searchsorted(rows, which)]
    return found


def _log_sums(
    shard: Shard, common: Common, means: OwnMeans, scales: Scales
) -> dict[Any, tuple[float, int]]:
    """Sum what the floors of own distances follow from, stratum by stratum, each place once."""
    sums = {}
    for label, part in shard.strata.items():
        counted = part.numbers[common.first[part.numbers]]
        sums[label] = log_sum(means.distances[counted], scales[label].floor)
    return sums


def _floors(parts: list[dict[Any, tuple[float, int]]], scales: Scales) -> dict[Any, float]:
    """Find the least own distance that counts, stratum by stratum."""
    floors = {}
    for label, stratum in scales.items():
        sums = [part[label] for part in parts if label in part]
        floors[label] = floor_of(stratum.floor, sum(s for s, _ in sums), sum(n for _, n in sums))
    return floors


def _with_floors(shard: Shard, means: OwnMeans, floors: Mapping[Any, float]) -> OwnMeans:
    """Raise the own distances of a shard to the floors of their strata."""
    raised = means.distances.copy()
    for label, part in shard.strata.items():
        raised[part.numbers] = np.maximum(raised[part.numbers], floors[label])
    return OwnMeans(raised, means.targets, means.disagreements)
