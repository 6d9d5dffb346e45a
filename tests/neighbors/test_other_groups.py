"""Neighbours of other groups, against a comparison of all with all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau.neighbors import (
    INDEX_CLASSES,
    MIXED,
    common_groups,
    make_index,
    nearest_of_other_groups,
    others_of_other_groups,
)


def by_comparison(vectors, groups, row, k):
    """Give the distances to the nearest of other groups, one by one."""
    distances = sorted(
        float(np.linalg.norm(vectors[row].astype(np.float64) - vector))
        for other, vector in enumerate(vectors)
        if other != row and (groups[other] != groups[row] or groups[row] == MIXED)
    )
    return distances[:k]


def found_by(index, groups, k, rows=None):
    rows = np.arange(len(groups)) if rows is None else rows
    nearest = {}
    for part, (distances, indices) in others_of_other_groups(index, rows, k, groups):
        for row, near, which in zip(part, distances, indices, strict=True):
            assert row not in nearest
            assert row not in which
            assert all(groups[which] != groups[row]) or groups[row] == MIXED
            nearest[int(row)] = near
    return nearest


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([2, 3, 15]))
def test_the_nearest_of_other_groups_are_found(seed, k, n_groups):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(40, 3)).astype(np.float32)
    groups = rng.integers(-1, n_groups, size=40)
    groups[:2] = 0, 1  # there are two
    index = make_index("flat", vectors.copy(), n_neighbors=k)
    nearest = found_by(index, groups, k)
    assert sorted(nearest) == list(range(40))
    for row, distances in nearest.items():
        np.testing.assert_allclose(distances, by_comparison(vectors, groups, row, k), rtol=1e-5)


@pytest.mark.parametrize("kind", sorted(INDEX_CLASSES))
def test_trajectories_of_near_twins_are_passed_over_by_every_index(kind):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 30)  # 40 trajectories, each in a place of its own
    vectors = 5 * rng.normal(size=(40, 8))[groups] + 0.01 * rng.normal(size=(1200, 8))
    vectors = vectors.astype(np.float32)
    index = make_index(kind, vectors.copy(), n_neighbors=5, random_state=0)
    rows = np.arange(0, 1200, 50)
    nearest = found_by(index, groups, 5, rows)
    assert sorted(nearest) == rows.tolist()
    reached = [
        np.mean(nearest[row]) / np.mean(by_comparison(vectors, groups, row, 5)) for row in rows
    ]
    exact = kind == "flat"
    assert np.mean(reached) == pytest.approx(1, abs=1e-5 if exact else 0.01)
    np.testing.assert_allclose(reached, 1, atol=1e-4 if exact else 0.15)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([1, 3, 15]))
def test_queries_that_are_no_samples_find_the_nearest_of_other_groups(seed, k, n_groups):
    rng = np.random.default_rng(seed)
    vectors, queries = (rng.normal(size=(n, 3)).astype(np.float32) for n in (40, 12))
    groups, asked = (rng.integers(-1, n_groups + extra, size=n) for n, extra in ((40, 0), (12, 2)))
    index = make_index("flat", vectors.copy(), n_neighbors=k)
    nearest = {}
    for part, (distances, indices) in nearest_of_other_groups(index, queries, k, asked, groups):
        for query, near, which in zip(part, distances, indices, strict=True):
            assert query not in nearest
            nearest[int(query)] = near
            np.testing.assert_allclose(
                np.linalg.norm(vectors[which] - queries[query], axis=1), near, rtol=1e-5
            )
    for query, group in enumerate(asked):
        apart = np.linalg.norm(vectors.astype(float) - queries[query], axis=1)
        expected = np.sort(apart[(groups != group) | (group == MIXED)])[:k]
        np.testing.assert_allclose(nearest.get(query, []), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", sorted(INDEX_CLASSES))
def test_queries_beside_a_trajectory_of_their_own_pass_it_over(kind):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 30)
    vectors = 5 * rng.normal(size=(40, 8))[groups] + 0.01 * rng.normal(size=(1200, 8))
    vectors = vectors.astype(np.float32)
    index = make_index(kind, vectors.copy(), n_neighbors=5, random_state=0)
    effort = getattr(index, "effort", None)
    rows = np.arange(0, 1200, 50)
    queries = vectors[rows] + np.float32(0.001)
    found = nearest_of_other_groups(index, queries, 5, groups[rows], groups)
    reached = [
        np.mean(near) / np.mean(by_comparison(vectors, groups, rows[query], 5))
        for part, (distances, _) in found
        for query, near in zip(part, distances, strict=True)
    ]
    assert len(reached) == len(rows)
    np.testing.assert_allclose(reached, 1, atol=1e-2 if kind == "flat" else 0.15)
    assert getattr(index, "effort", None) == effort


def test_a_group_that_is_nearly_all_has_the_few_others_there_are():
    vectors = np.arange(10, dtype=np.float32)[:, None]
    groups = np.array([0] * 8 + [1, 2])
    nearest = found_by(make_index("flat", vectors.copy(), n_neighbors=3), groups, 3)
    np.testing.assert_allclose(nearest[0], [8, 9])
    np.testing.assert_allclose(nearest[8], [1, 1, 2])


def test_a_place_of_several_groups_belongs_to_none():
    groups = common_groups(np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2]))
    assert groups.tolist() == [MIXED, 1, 2]
    alone = np.array([3, 4])
    assert common_groups(alone, None) is alone
