"""Nearest others of every vector: nearly the true mean distances, from few of the vectors."""

import faiss
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from ltau.neighbors import make_index, n_threads
from ltau.neighbors._own import own_neighbors


def clusters(n, width, seed=0):
    rng = np.random.default_rng(seed)
    centers = 3 * rng.normal(size=(30, width))
    spread = rng.lognormal(-1, 0.5, size=(30, 1))
    which = rng.integers(30, size=n)
    return (centers[which] + spread[which] * rng.normal(size=(n, width))).astype(np.float32)


SETS = {
    "noise": np.random.default_rng(0).normal(size=(8000, 24)).astype(np.float32),
    "clusters": clusters(8000, 12),
    "a curve": np.random.default_rng(0).normal(size=(8000, 1)).astype(np.float32) @ np.ones((1, 5)),
    "heavy tails": np.random.default_rng(0).standard_t(2, size=(8000, 6)).astype(np.float32),
}


def gathered(index, k, **options):
    """Neighbours of every vector, in the order of the rows."""
    parts = [(rows, *found) for rows, found in own_neighbors(index, k, **options)]
    rows, distances, others = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(rows)
    np.testing.assert_array_equal(rows[order], np.arange(len(index)))
    return distances[order], others[order]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", ["auto", "ivf"])
def test_mean_distances_are_right_to_a_few_percent(name, kind):
    vectors = np.ascontiguousarray(SETS[name], np.float32)
    index = make_index(kind, vectors, random_state=0)
    distances, others = gathered(index, 10)
    true, _ = NearestNeighbors(n_neighbors=10).fit(vectors).kneighbors()
    ratios = distances.mean(axis=1) / true.mean(axis=1)
    assert ratios.std() < 0.03  # a sample of 300 says 0.025
    assert ratios.mean() == pytest.approx(1, abs=0.005)
    assert (others != np.arange(len(vectors))[:, None]).all()
    apart = np.linalg.norm(vectors[:, None] - vectors[others], axis=2)
    factors = apart.mean(axis=1) / distances.mean(axis=1)
    assert np.percentile(factors, 99) / np.percentile(factors, 1) == pytest.approx(1, abs=1e-3)


def test_few_of_the_vectors_are_compared(monkeypatch):
    index = make_index("auto", SETS["noise"], random_state=0)
    assert index.kind == "flat"
    asked = []
    monkeypatch.setattr(
        type(index),
        "search_others",
        lambda self, rows, k: asked.append(rows),  # an exact search
    )
    gathered(index, 10)
    assert not asked


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf_sq8"])
def test_indices_without_sorted_vectors_are_searched_as_ever(kind):
    vectors = SETS["clusters"][:2500]
    index = make_index(kind, vectors, random_state=0)
    distances, others = gathered(index, 4)
    expected, true = index.search_others(np.arange(2500), 4)
    np.testing.assert_array_equal(distances, expected)
    np.testing.assert_array_equal(others, true)


def test_some_rows_are_searched_as_queries_are():
    index = make_index("auto", SETS["noise"], random_state=0)
    rows = np.array([7, 3, 7999])
    ((asked, (distances, others)),) = own_neighbors(index, 5, rows)
    true = np.sort(cdist(SETS["noise"][rows], SETS["noise"]), axis=1)[:, 1:6]
    np.testing.assert_array_equal(asked, rows)
    np.testing.assert_allclose(distances, true, rtol=1e-5)
    assert others.shape == (3, 5)


def test_cells_with_fewer_vectors_than_neighbours_are_no_end():
    vectors = np.concatenate([clusters(3000, 8), 100 + 50 * np.eye(8, dtype=np.float32)])
    index = make_index("ivf", vectors, n_neighbors=60, random_state=0)
    assert index.partition.sizes.min() < 60
    distances, others = gathered(index, 60)
    assert np.isfinite(distances).all()
    assert (others >= 0).all()
    true, _ = NearestNeighbors(n_neighbors=60).fit(vectors).kneighbors()
    ratios = distances.mean(axis=1) / true.mean(axis=1)
    assert ratios.std() < 0.03
    np.testing.assert_allclose(ratios[-8:], 1, rtol=1e-5)  # those far away, in cells of their own


def test_vectors_that_are_all_the_same_have_others_at_no_distance():
    distances, _ = gathered(make_index("auto", np.zeros((3000, 4), np.float32)), 10)
    assert (distances == 0).all()


@pytest.mark.parametrize("name", ["noise", "clusters"])
def test_other_groups_are_searched_by_cells_too(name):
    vectors = SETS[name][:3000]
    groups = np.arange(3000) // 3
    distances, others = gathered(make_index("auto", vectors, random_state=0), 5, groups=groups)
    assert (groups[others] != groups[:, None]).all()
    apart = cdist(vectors, vectors)
    apart[groups[:, None] == groups] = np.inf
    true = np.sort(apart, axis=1)[:, :5]
    ratios = distances.mean(axis=1) / true.mean(axis=1)
    assert ratios.std() < 0.03
    assert ratios.mean() == pytest.approx(1, abs=0.005)


@pytest.mark.skipif(faiss.omp_get_max_threads() < 2, reason="a single thread")
def test_the_number_of_threads_makes_no_difference():
    index = make_index("auto", SETS["clusters"], random_state=0)
    found = []
    for n in (1, 2):
        with n_threads(n):
            found.append(gathered(index, 10))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_again_after_saving():
    index = make_index("auto", SETS["noise"], random_state=0)
    again = type(index).from_arrays(index.to_arrays())
    for one, other in zip(gathered(index, 10), gathered(again, 10), strict=True):
        np.testing.assert_array_equal(one, other)
