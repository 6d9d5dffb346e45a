"""What all shards hold of one place, put together: its mean target, and its group."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau.adapters.dask._shard import Queries, Shard
from ltau.neighbors import MIXED

__all__ = ["Common", "OwnPlaces", "Share", "own_places", "put_together", "share_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class OwnPlaces(NamedTuple):
    """The places of a shard, to be searched in others."""

    first: int  # row of the first sample of the shard
    queries: Queries
    places: NDArray[np.uint64]  # a number that is the same for samples of one place, or near it
    groups: Ints | None


class Share(NamedTuple):
    """What another shard holds of the places of a shard, each of shape (n_places, ...)."""

    sizes: Floats  # how many samples
    before: NDArray[np.bool_]  # whether they come before the shard's own
    totals: Floats | None  # the sums of their targets
    differ: NDArray[np.bool_]  # whether they are of another group


class Common(NamedTuple):
    """What is known of the places of a shard by the samples of all shards."""

    twins: NDArray[np.bool_]  # whether another sample lies there, of another group if there are any
    first: NDArray[np.bool_]  # whether no shard before has it: a place counts once
    targets: Floats | None  # (n_places, n_outputs), their means
    groups: Ints | None  # (n_places,)


def own_places(shard: Shard) -> OwnPlaces:
    """Give the places of a shard."""
    return OwnPlaces(shard.first, shard.queries(), shard.places(), shard.groups)


def share_of(shard: Shard, asked: OwnPlaces) -> Share:
    """Tell what a shard holds of the places of another one."""
    n = asked.queries.n_samples
    sizes, before, differ = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool)
    totals = None if shard.targets is None else np.zeros((n, shard.targets.shape[1]))
    for mine, here in shard.coinciding(asked.queries, asked.places):
        held = shard.merged.sizes[here]
        sizes[mine] += held
        before[mine] = shard.first < asked.first
        if totals is not None and shard.targets is not None:
            totals[mine] += held[:, None] * shard.targets[here]
        if shard.groups is not None and asked.groups is not None:
            differ[mine] |= shard.groups[here] != asked.groups[mine]
    return Share(sizes, before, totals, differ)


def put_together(shard: Shard, shares: list[Share]) -> Common:
    """Tell what is known of the places of a shard, with what others hold of them."""
    sizes = shard.merged.sizes + sum(share.sizes for share in shares)
    first = ~_any(shard, [share.before for share in shares])
    targets, groups, twins = shard.targets, shard.groups, sizes > 1
    if targets is not None:
        totals = shard.merged.sizes[:, None] * targets
        totals = totals + sum(share.totals for share in shares if share.totals is not None)
        targets = totals / sizes[:, None]
    if groups is not None:
        groups = np.where(_any(shard, [share.differ for share in shares]), MIXED, groups)
        twins = groups == MIXED
    return Common(twins, first, targets, groups)


def _any(shard: Shard, flags: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Tell where any of some flags of a shard's places is set."""
    found: NDArray[np.bool_] = np.any([np.zeros(len(shard), bool), *flags], axis=0)
    return found
