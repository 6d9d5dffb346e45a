"""The exact search on tensors, against distances in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch")

from ltau.adapters.torch import _search as _torch_search  # noqa: E402
from ltau.adapters.torch._search import ExactSearch  # noqa: E402


def brute_force(vectors, queries, k):
    difference = queries.astype(np.float64)[:, None] - vectors.astype(np.float64)
    distances = np.sqrt((difference**2).sum(axis=2))
    return np.sort(distances, axis=1)[:, :k], distances


def check(vectors, queries, k):
    """Search, and compare with brute force; among the equally near, any will do."""
    distances, rows = (x.numpy() for x in ExactSearch(vectors)(torch.from_numpy(queries), k))
    nearest, every = brute_force(vectors, queries, k)
    assert_allclose(distances, nearest, rtol=1e-5)
    assert_allclose(np.take_along_axis(every, rows, axis=1), nearest, rtol=1e-5)
    assert all(len(set(row)) == k for row in rows.tolist())
    return rows


@pytest.fixture
def searched_again(monkeypatch):
    """Count the queries that were searched again by differences."""
    counts, search = [], ExactSearch._search_again

    def counting(self, queries, k, unsure, *found):
        counts.append(int(unsure.sum()))
        search(self, queries, k, unsure, *found)

    monkeypatch.setattr(ExactSearch, "_search_again", counting)
    return counts


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 9),
    st.integers(1, 70),
    st.floats(0, 1e4),
    st.integers(0, 2**32 - 1),
)
def test_neighbours_are_those_of_brute_force(n, n_features, n_queries, offset, seed):
    rng = np.random.default_rng(seed)
    vectors, queries = (
        (offset + rng.normal(size=(size, n_features))).astype(np.float32) for size in (n, n_queries)
    )
    check(vectors, queries, int(rng.integers(1, n + 1)))


def test_many_groups_of_vectors():
    rng = np.random.default_rng(0)
    vectors, queries = np.split(rng.normal(size=(20_050, 6)).astype(np.float32), [20_000])
    check(vectors, queries, 10)


def test_distant_clusters_are_searched_again(searched_again):
    rng = np.random.default_rng(0)
    centers = 1e4 * rng.normal(size=(4, 5))  # products lose what differs within a cluster
    vectors = (centers[rng.integers(4, size=2000)] + rng.normal(size=(2000, 5))).astype("f4")
    check(vectors, vectors[:50], 10)
    assert searched_again == [50]


def test_ordinary_vectors_are_not_searched_again(searched_again):
    vectors = np.random.default_rng(0).normal(size=(5000, 8)).astype(np.float32)
    check(vectors, vectors[:200], 10)
    assert not searched_again


def test_duplicates_beyond_the_candidates_are_told_apart_by_nothing(searched_again):
    vectors = np.repeat(np.eye(3, dtype=np.float32), 100, axis=0)
    rows = check(vectors, vectors[::100] + np.float32(0.01), 5)
    assert_array_equal(rows // 100, np.repeat(np.arange(3)[:, None], 5, axis=1))
    assert searched_again == [3]


def test_equally_near_vectors_come_in_their_order():
    vectors = np.array([[0, 2], [1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)
    _, rows = ExactSearch(vectors)(torch.zeros(1, 2), 4)
    assert rows.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_neighbours_are_exact_at_any_precision_of_matrix_products(precision, searched_again):
    """Processors with bfloat16 products use them at the lowest precision."""
    rng = np.random.default_rng(0)
    vectors, queries = np.split(rng.normal(size=(8200, 32)).astype(np.float32), [8000])
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        check(vectors, queries, 10)
        assert sum(searched_again) < 200
        check(vectors + np.float32(30), queries + np.float32(30), 10)
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_precision_may_be_set_for_each_backend(monkeypatch):
    def refuse():
        raise RuntimeError("mix of the legacy and new APIs")  # as torch 2.9 and later do

    monkeypatch.setattr(torch, "get_float32_matmul_precision", refuse)
    vectors = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    check(vectors, vectors[:50], 5)


def test_autocast_does_not_shorten_the_products(searched_again):
    vectors = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check(vectors, vectors[:100], 10)
    assert not searched_again


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e37])
@pytest.mark.parametrize("n", [10, 3000])
def test_queries_that_cannot_be_measured_are_refused(value, n):
    vectors = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    queries = torch.zeros(7, 3)
    queries[[2, 5], 1] = value
    with pytest.raises(ValueError, match=r"Expected finite latents, .* in 2 of 7 rows"):
        ExactSearch(vectors)(queries, 3)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(_torch_search, "BLOCK_VALUES", 1 << 16)
    vectors = np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32)
    sizes, addmm = [], torch.addmm

    def watched(*args, **kwargs):
        sizes.append(addmm(*args, **kwargs).numel())
        return addmm(*args, **kwargs)

    monkeypatch.setattr(torch, "addmm", watched)
    check(vectors, vectors[:500], 10)
    assert max(sizes) <= 1 << 16
    assert len(sizes) > 10
