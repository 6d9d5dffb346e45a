"""The nearest, and all that are as near as the last, against distances to all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from ltau.neighbors import FlatIndex, make_index, search_equally_near


@given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 1000))
def test_none_as_near_as_the_last_is_missing(n, k, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, 4, size=(n, 2)).astype(np.float32)
    queries = rng.integers(0, 8, size=(6, 2)).astype(np.float32) / 2
    distances, indices = search_equally_near(FlatIndex(vectors), queries, k)
    exact = cdist(queries, vectors)
    limits = np.sort(exact, axis=1)[:, min(k, n) - 1]
    for found, rows, every, limit in zip(distances, indices, exact, limits, strict=True):
        there = np.isfinite(found)
        assert sorted(rows[there]) == np.flatnonzero(every <= limit * (1 + 1e-6)).tolist()
        np.testing.assert_allclose(found[there], every[rows[there]], rtol=1e-6)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq"])
def test_of_single_ones_there_are_as_many_as_asked_for(kind):
    vectors = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    index = make_index(kind, vectors.copy(), recall=0.9)
    distances, indices = search_equally_near(index, vectors[:20], 7)
    assert distances.shape == indices.shape == (20, 7)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf_sq8"])
def test_where_nearly_all_are_equally_near_each_is_found(kind):
    """Far away all vectors are as near as the last, and around a circle as near as the others."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 3000)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    index = make_index(kind, vectors.copy())
    queries = np.array([[0, 0], [1e9, 0], [0.5, 0.2]], np.float32)
    distances, indices = search_equally_near(index, queries, 10)
    there = np.isfinite(distances)
    assert there.sum(axis=1).tolist()[1] == 3000
    assert 2900 < there[0].sum() <= 3000  # of the rounding of a circle
    assert there[2].sum() == 10
    assert sorted(indices[1][there[1]]) == list(range(3000))
    exact = cdist(queries[:1], vectors)[0]
    np.testing.assert_allclose(distances[0][there[0]], exact[indices[0][there[0]]], rtol=1e-6)
