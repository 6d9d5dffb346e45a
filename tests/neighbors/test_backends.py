"""Every backend against scikit-learn's exact search."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ltau.neighbors import INDEX_CLASSES, make_index

KINDS = sorted(INDEX_CLASSES)


def clustered(n, n_features=8, seed=0):
    """Vectors in clusters, as latents are: an approximate index has something to find."""
    rng = np.random.default_rng(seed)
    centers = 3 * rng.normal(size=(50, n_features))
    vectors = centers[rng.integers(50, size=n)] + rng.normal(size=(n, n_features))
    return vectors.astype(np.float32)


@pytest.mark.parametrize("n_queries", [1, 15, 16, 500])  # the method changes at 16
@pytest.mark.parametrize("k", [1, 10, 200])  # and its bookkeeping at 100
def test_flat_is_exact(n_queries, k):
    vectors, queries = clustered(3000), clustered(n_queries, seed=1)
    distances, indices = make_index("flat", vectors).search(queries, k)
    oracle = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(vectors)
    true_distances, true_indices = oracle.kneighbors(queries)
    np.testing.assert_allclose(distances, true_distances, rtol=1e-5)
    # Neighbour for neighbour, but for two that float32 cannot tell apart.
    swapped = indices != true_indices
    assert swapped.mean() < 1e-3
    own = np.linalg.norm(vectors[indices] - queries[:, None].astype(np.float64), axis=2)
    np.testing.assert_allclose(own[swapped], true_distances[swapped], rtol=1e-6)


def test_flat_is_exact_where_products_cancel():
    # Differences of 1e-3 at an offset of 100: squares in float32 cannot resolve them.
    rng = np.random.default_rng(0)
    vectors = (100 + 1e-3 * rng.normal(size=(2000, 2))).astype(np.float32)
    distances, _ = make_index("flat", vectors).search(vectors[:100], 5)
    expected, _ = NearestNeighbors(n_neighbors=5).fit(vectors).kneighbors(vectors[:100])
    np.testing.assert_allclose(distances, expected, rtol=1e-5, atol=1e-9)


def test_flat_does_not_depend_on_the_batch():
    vectors, queries = clustered(3000), clustered(100, seed=1)
    index = make_index("flat", vectors)
    whole = index.search(queries, 10)
    one_by_one = [index.search(query[None], 10) for query in queries]
    for together, apart in zip(whole, zip(*one_by_one, strict=True), strict=True):
        np.testing.assert_array_equal(together, np.concatenate(apart))


def test_flat_leaves_the_settings_of_faiss_alone():
    before = faiss.cvar.distance_compute_blas_threshold
    make_index("flat", clustered(100)).search(clustered(50), 3)
    assert faiss.cvar.distance_compute_blas_threshold == before


@pytest.mark.parametrize("recall", [0.8, 0.99])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"flat"}))
def test_approximate_indices_reach_their_recall(kind, recall):
    vectors, queries = np.split(clustered(5500), [5000])  # the same domain
    index = make_index(kind, vectors, recall=recall, random_state=0)
    assert recall <= index.recall <= 1
    found = index.search(queries, 10)[1]
    true = NearestNeighbors(n_neighbors=10).fit(vectors).kneighbors(queries)[1]
    hits = np.mean([np.isin(f, t).mean() for f, t in zip(found, true, strict=True)])
    # Another 5,000 neighbours than those tuned on: five standard errors of slack.
    assert hits > recall - 5 * np.sqrt(recall * (1 - recall) / found.size)


@pytest.mark.parametrize("kind", KINDS)
def test_distances_belong_to_the_indices_and_ascend(kind):
    vectors, queries = clustered(2000), clustered(100, seed=1)
    distances, indices = make_index(kind, vectors, random_state=0).search(queries, 10)
    measured = np.linalg.norm(vectors[indices] - queries[:, None], axis=2)
    np.testing.assert_allclose(distances, measured, rtol=1e-4)
    assert (np.diff(distances, axis=1) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_neighbours_as_vectors(kind):
    # A cell of the partition holds fewer: what faiss leaves empty must not come through.
    vectors = clustered(200)
    index = make_index(kind, vectors, n_neighbors=1, recall=0.5, random_state=0)
    distances, indices = index.search(vectors[:20], 200)
    np.testing.assert_array_equal(np.sort(indices, axis=1), np.tile(np.arange(200), (20, 1)))
    assert np.isfinite(distances).all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_vector_is_its_own_neighbour(kind):
    vectors = clustered(500)
    vectors[100:120] = vectors[0]  # more duplicates than neighbours
    rows = np.arange(0, 500, 5)
    distances, indices = make_index(kind, vectors, random_state=0).search_others(rows, 10)
    assert distances.shape == indices.shape == (100, 10)
    assert (indices != rows[:, None]).all()
    assert (distances[0] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda i: pickle.loads(pickle.dumps(i))])
def test_copies_find_the_same_bits(kind, again):
    vectors, queries = clustered(3000), clustered(200, seed=1)
    index = make_index(kind, vectors, random_state=0)
    twin = again(index)
    assert (twin.recall, twin.kind) == (index.recall, kind)
    for one, other in zip(index.search(queries, 10), twin.search(queries, 10), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_vector_is_found(kind):
    distances, indices = make_index(kind, clustered(1), n_neighbors=1).search(clustered(1), 1)
    assert (distances, indices) == (0, 0)


def test_threads_leave_the_settings_of_faiss_alone():
    vectors, queries = clustered(3000), clustered(50, seed=1)
    index = make_index("flat", vectors)
    before = faiss.cvar.distance_compute_blas_query_bs
    expected = index.search(queries, 10)[1]
    with ThreadPoolExecutor(4) as pool:
        sizes = [50, 5] * 20  # by products and by differences
        found = list(pool.map(lambda n: index.search(queries[:n], 10)[1], sizes))
    for n, indices in zip(sizes, found, strict=True):
        np.testing.assert_array_equal(indices, expected[:n])
    assert faiss.cvar.distance_compute_blas_query_bs == before


@pytest.mark.parametrize("n_features", [1, 2, 3, 7])  # parts of two features, or of one
@pytest.mark.parametrize("n", [2, 5, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_few_and_narrow_vectors_are_found(kind, n, n_features):
    vectors = clustered(n, n_features)
    index = make_index(kind, vectors, n_neighbors=n - 1, recall=1.0, random_state=0)
    distances, _ = index.search(vectors, n)
    expected, _ = NearestNeighbors(n_neighbors=n).fit(vectors).kneighbors(vectors)
    np.testing.assert_allclose(distances, expected, rtol=1e-4, atol=1e-5)


def test_indices_hold_no_second_copy_of_the_vectors():
    vectors = clustered(3000)
    for kind in ("ivf", "hnsw"):
        index = make_index(kind, vectors, random_state=0)
        before = index.search(vectors[:5], 3)[1]
        index.vectors[:] += 1  # what faiss searches
        np.testing.assert_array_equal(index.search(vectors[:5] + (kind == "ivf"), 3)[1], before)


def test_quantised_search_does_not_depend_on_its_blocks(monkeypatch):
    vectors, queries = np.split(clustered(2100), [2000])
    index = make_index("ivf_sq8", vectors, random_state=0)
    whole = index.search(queries, 10)
    monkeypatch.setattr("ltau.neighbors._quantized._BLOCK_VALUES", 3000)
    for one, other in zip(index.search(queries, 10), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_quantised_candidates_are_measured_in_full():
    vectors, queries = np.split(clustered(2200), [2000])
    index = make_index("ivf_pq", vectors, random_state=0)
    distances, indices = index.search(queries, 10)
    difference = vectors[indices].astype(np.float64) - queries[:, None]
    np.testing.assert_allclose(distances, np.linalg.norm(difference, axis=2), rtol=1e-6)
    assert index.n_candidates > 1


def test_unreachable_recall_is_an_error(monkeypatch):
    vectors = clustered(3000)
    monkeypatch.setattr(INDEX_CLASSES["hnsw"], "max_effort", property(lambda _: 1))
    with pytest.raises(ValueError, match=r"'hnsw' index reaches a recall of 0\.\d+ at the most"):
        make_index("hnsw", vectors, n_neighbors=100, recall=1.0, random_state=0)


def test_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="got 'annoy'"):
        make_index("annoy", clustered(10))
