"""Searches of the parts of a training set, against a search of the whole."""

import itertools
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau.adapters.dask._shard import NOBODY, Queries, Shard, nearest
from ltau.neighbors import LatentScaler

UNSCALED = LatentScaler(np.zeros(2), None)
INDEX = {"kind": "flat", "n_neighbors": 3, "recall": 1.0, "random_state": 0}


def shards_of(latents, classes, ends, scalers):
    """Cut a training set into shards at `ends`."""
    bounds = [0, *ends, len(latents)]
    return [
        Shard.build(
            first,
            np.ones((end - first, 4), np.uint8),
            Queries.of(latents[first:end], classes[first:end], scalers),
            **INDEX,
        )
        for first, end in itertools.pairwise(bounds)
    ]


def brute_force(latents, classes, queries, query_classes, k, leave_out=None):
    """Rows of the nearest of the same class, of equals the lower ones."""
    squared = ((queries[:, None].astype(float) - latents) ** 2).sum(axis=2)
    squared[query_classes[:, None] != classes] = np.inf
    if leave_out is not None:
        squared[np.arange(len(queries)), leave_out] = np.inf
    order = np.lexsort((np.broadcast_to(np.arange(len(latents)), squared.shape), squared), axis=1)
    rows = np.where(np.isinf(np.take_along_axis(squared, order, axis=1)), NOBODY, order)
    short = np.full((len(queries), k), NOBODY)
    return np.concatenate([rows, short], axis=1)[:, :k]


@st.composite
def partitions(draw):
    n = draw(st.integers(1, 30))
    seed = draw(st.integers(0, 1000))
    ends = sorted(draw(st.lists(st.integers(0, n), max_size=4)))
    return n, ends, seed, draw(st.integers(1, 12))


@settings(deadline=None, max_examples=60)
@given(partitions())
def test_any_parts_of_a_set_find_what_the_whole_does(partition):
    """Points on a small grid, where many are equally far."""
    n, ends, seed, k = partition
    rng = np.random.default_rng(seed)
    latents = rng.integers(0, 4, size=(n, 2)).astype(np.float32)
    classes, scalers = rng.integers(0, 2, size=n), {0: UNSCALED, 1: UNSCALED}
    shards = shards_of(latents, classes, ends, scalers)
    targets = rng.integers(0, 4, size=(7, 2)).astype(np.float32)
    target_classes = rng.integers(0, 2, size=7)
    queries = Queries.of(targets, target_classes, scalers)
    found = [shard.search(queries, k) for shard in shards]
    expected = brute_force(latents, classes, targets, target_classes, k)
    np.testing.assert_array_equal(nearest(found, k)[1], expected)
    # In any groups.
    pairs = [nearest(found[start : start + 2], k) for start in range(0, len(found), 2)]
    np.testing.assert_array_equal(nearest(pairs, k)[1], expected)


@settings(deadline=None, max_examples=60)
@given(partitions())
def test_no_sample_is_its_own_neighbour(partition):
    n, ends, seed, k = partition
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(n, 2)).astype(np.float32)
    classes, scalers = rng.integers(0, 2, size=n), {0: UNSCALED, 1: UNSCALED}
    shards = shards_of(latents, classes, ends, scalers)
    rows = [
        nearest([other.search(own.queries(), k, own=other is own) for other in shards], k)[1]
        for own in shards
    ]
    expected = brute_force(latents, classes, latents, classes, k, leave_out=np.arange(n))
    np.testing.assert_array_equal(np.concatenate(rows), expected)


def test_a_shard_looks_up_its_own_samples_once_each():
    latents = np.zeros((10, 2), np.float32)
    shard = Shard.build(20, np.arange(40, dtype=np.uint8).reshape(10, 4), Queries(10, {}), **INDEX)
    asked = np.array([[25, 3, 20], [29, 25, 30]])
    rows, cumulative, own = shard.look_up(asked, np.arange(10.0))
    assert rows.tolist() == [20, 25, 29]
    assert cumulative[:, 0].tolist() == [0, 20, 36]
    assert own.tolist() == [0, 5, 9]
    assert len(latents) == len(shard)


def test_dask_is_told_how_large_a_shard_is():
    latents = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    (shard,) = shards_of(latents, np.zeros(1000), [], {0: UNSCALED})
    assert sys.getsizeof(shard) >= latents.nbytes + shard.cumulative.nbytes
