"""Searches of the parts of a training set, against a search of the whole."""

import itertools
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau._fitted.densities import TrainingDensities
from ltau.adapters.dask._merging import NOBODY, nearest
from ltau.adapters.dask._places import own_places, put_together, share_of
from ltau.adapters.dask._shard import OwnMeans, Queries, Shard, StratumScale
from ltau.neighbors import MIXED, LatentScaler

UNSCALED = StratumScale(LatentScaler(np.zeros(2), None), 1e-6, 30)
INDEX = {"kind": "flat", "n_neighbors": 3, "recall": 1.0, "random_state": 0}


def ones(n):
    """Densities of samples with one error each."""
    return TrainingDensities(np.arange(5.0), np.ones((n, 4), np.uint8))


def shards_of(latents, classes, ends, scalers):
    """Cut a training set into shards at `ends`."""
    bounds = [0, *ends, len(latents)]
    return [
        Shard.build(
            first,
            ones(end - first),
            Queries.of(latents[first:end], classes[first:end], scalers),
            scalers,
            **INDEX,
        )
        for first, end in itertools.pairwise(bounds)
    ]


def brute_force(latents, classes, query, query_class, k, leave_out=None):
    """Rows of all samples of the class in the `k` nearest places, or as near as the last."""
    squared = ((query.astype(float) - latents) ** 2).sum(axis=1)
    squared[classes != query_class] = np.inf
    if leave_out is not None:
        squared[leave_out] = np.inf
    there = np.flatnonzero(np.isfinite(squared))
    places, first = np.unique(latents[there], axis=0, return_index=True)
    nearest_places = np.sort(squared[there[first]])
    limit = nearest_places[min(k, len(places)) - 1] if len(places) else -1.0
    return set(np.flatnonzero(squared <= limit * (1 + 1e-6)).tolist())


def samples_of(found, latents, classes, bounds):
    """Rows that the places found by a query stand for, each in its shard."""
    rows = set()
    for row in found[found != NOBODY]:
        start = max(bound for bound in bounds if bound <= row)
        end = min(bound for bound in [*bounds, len(latents)] if bound > row)
        here = np.arange(start, end)
        alike = (latents[here] == latents[row]).all(axis=1) & (classes[here] == classes[row])
        rows |= set(here[alike].tolist())
    return rows


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
    pairs = [nearest(found[start : start + 2], k) for start in range(0, len(found), 2)]
    bounds = [0, *ends]
    for merged in (nearest(found, k), nearest(pairs, k)):  # in any groups
        for target, target_class, rows in zip(targets, target_classes, merged.rows, strict=True):
            expected = brute_force(latents, classes, target, target_class, k)
            assert samples_of(rows, latents, classes, bounds) == expected


@settings(deadline=None, max_examples=60)
@given(partitions())
def test_no_sample_is_its_own_neighbour(partition):
    n, ends, seed, k = partition
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(n, 2)).astype(np.float32)
    classes, scalers = rng.integers(0, 2, size=n), {0: UNSCALED, 1: UNSCALED}
    shards = shards_of(latents, classes, ends, scalers)
    found = [
        set(rows[rows != NOBODY].tolist())
        for own in shards
        for rows in nearest([s.search(own.queries(), k, own=s is own) for s in shards], k).rows
    ]
    expected = [brute_force(latents, classes, latents[i], classes[i], k, i) for i in range(n)]
    assert found == expected


def test_a_shard_looks_up_its_own_samples_once_each():
    counts = np.arange(1, 41, dtype=np.uint8).reshape(10, 4)
    densities = TrainingDensities(np.arange(5.0), counts)
    shard = Shard.build(20, densities, Queries(10, {}), {}, **INDEX)
    asked = np.array([[25, 3, 20], [29, 25, 30]])
    targets = np.arange(20.0).reshape(10, 2)
    held = shard.look_up(asked, OwnMeans(np.arange(10.0), targets, np.arange(10.0) ** 2))
    assert held.rows.tolist() == [20, 25, 29]
    assert held.cumulative[:, 0].tolist() == [1, 21, 37]
    assert held.own_distances.tolist() == [0, 5, 9]
    assert held.disagreements.tolist() == [0, 25, 81]
    assert held.targets.tolist() == [[0, 1], [10, 11], [18, 19]]
    assert [twins.tolist() for twins in held.twins] == [[20], [25], [29]]


def test_dask_is_told_how_large_a_shard_is():
    latents = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    (shard,) = shards_of(latents, np.zeros(1000), [], {0: UNSCALED})
    assert sys.getsizeof(shard) >= latents.nbytes + shard.densities.cumulative.nbytes


def test_near_samples_of_two_shards_are_places_of_their_own():
    latents = np.array([[0, 0], [9, 0], [0.5, 0], [5, 0]], np.float32)
    scales = {0: UNSCALED._replace(floor=0.1)}  # the first and the third share a cell of 1.6
    shards = shards_of(latents, np.zeros(4), [2], scales)
    query = Queries.of(np.zeros((1, 2), np.float32), np.zeros(1), scales)
    found = nearest([shard.search(query, 2) for shard in shards], 2)
    assert found.rows.tolist() == [[0, 2]]
    assert not found.repeats().any()


def test_a_sample_in_two_shards_is_one_place():
    latents = np.array([[0, 0], [9, 0], [0.05, 0], [5, 0]], np.float32)
    scales = {0: UNSCALED._replace(floor=0.1)}
    shards = shards_of(latents, np.zeros(4), [2], scales)
    query = Queries.of(np.zeros((1, 2), np.float32), np.zeros(1), scales)
    found = nearest([shard.search(query, 2) for shard in shards], 2)
    assert found.rows.tolist() == [[0, 2, 3]]
    assert found.repeats().tolist() == [[False, True, False]]


def test_places_of_another_shard_are_found_by_where_they_lie():
    latents = np.array([[0, 0], [9, 0], [0.05, 0], [0.5, 0], [9, 0]], np.float32)
    scales = {0: UNSCALED._replace(floor=0.1)}  # the first, third and fourth share a cell
    one, other = shards_of(latents, np.zeros(5), [2], scales)
    pairs = [
        pair
        for parts in other.coinciding(one.queries(), one.places())
        for pair in zip(*parts, strict=True)
    ]
    assert sorted(pairs) == [(0, 0), (1, 2)]


def test_a_place_has_the_mean_target_and_the_groups_of_all_shards():
    latents = np.array([[0, 0], [9, 0], [5, 0], [0, 0], [9, 0], [0, 0]], np.float32)
    targets = np.array([[1.0], [2.0], [3.0], [7.0], [2.5], [13.0]])
    groups = np.array([0, 1, 2, 0, 3, 0])
    scales = {0: UNSCALED._replace(floor=0.1)}
    one, other = (
        Shard.build(
            rows.start,
            ones(3),
            Queries.of(latents[rows], np.zeros(3), scales),
            scales,
            targets[rows],
            groups[rows],
            **INDEX,
        )
        for rows in (slice(0, 3), slice(3, 6))
    )
    ours = put_together(one, [share_of(other, own_places(one))])
    assert ours.targets.tolist() == [[7.0], [2.25], [3.0]]
    assert ours.groups.tolist() == [0, MIXED, 2]
    assert ours.twins.tolist() == [False, True, False]
    assert ours.first.all()
    theirs = put_together(other, [share_of(one, own_places(other))])
    assert theirs.targets.tolist() == [[7.0], [2.25]]
    assert theirs.groups.tolist() == [0, MIXED]
    assert not theirs.first.any()
