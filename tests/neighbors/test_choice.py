"""The index that is chosen compares fewer vectors, and reaches the recall."""

import json

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ltau.neighbors import make_index


def clustered(n, n_features=8, seed=0):
    rng = np.random.default_rng(seed)
    centers = 3 * rng.normal(size=(50, n_features))
    vectors = centers[rng.integers(50, size=n)] + rng.normal(size=(n, n_features))
    return vectors.astype(np.float32)


@pytest.mark.parametrize(
    ("vectors", "kind"),
    [
        (clustered(2500), "ivf"),
        (clustered(21_000), "ivf"),
        (np.random.default_rng(0).normal(size=(5000, 40)).astype(np.float32), "flat"),
        (np.repeat(clustered(300), 10, axis=0), "ivf"),
        (np.zeros((3000, 2), np.float32), "flat"),
    ],
    ids=["small", "large", "noise", "duplicates", "all the same"],
)
def test_what_takes_less_time_by_its_counts_is_chosen(vectors, kind):
    index = make_index("auto", vectors, recall=0.95, random_state=0)
    assert index.kind == kind
    flat, ivf = index.report
    assert (flat["kind"], flat["n_compared"], flat["relative_time"]) == ("flat", len(vectors), 1)
    assert (ivf["kind"], ivf["chosen"], flat["chosen"]) == ("ivf", kind == "ivf", kind == "flat")
    assert (ivf["relative_time"] < 1) == ivf["chosen"]
    chosen = ivf if kind == "ivf" else flat
    assert chosen["parameters"] == index.parameters
    assert chosen["recall"] == index.recall >= 0.95
    assert json.loads(json.dumps(index.report)) == index.report


def test_compared_vectors_are_those_of_the_cells_that_are_searched():
    vectors = clustered(5000)
    index = make_index("ivf", vectors, random_state=0)
    queries = clustered(20, seed=1)
    apart = np.linalg.norm(queries[:, None] - index.partition.centroids, axis=2)
    visited = np.argsort(apart, axis=1)[:, : index.effort]
    in_them = index.partition.sizes[visited].sum(axis=1)
    assert index.n_compared(queries) == len(index.partition.sizes) + in_them.mean()


def test_the_effort_is_the_least_that_finds_the_share():
    vectors = clustered(6000)
    index = make_index("ivf", vectors, n_neighbors=7, recall=0.9, random_state=0)
    rows = np.random.default_rng(0).choice(6000, size=1000, replace=False)  # as it draws them
    _, true = NearestNeighbors(n_neighbors=8).fit(vectors).kneighbors(vectors[rows])

    def share():
        _, found = index.search_others(rows, 7)
        return np.mean([np.isin(f, t).mean() for f, t in zip(found, true[:, 1:], strict=True)])

    assert index.recall == pytest.approx(share(), abs=2e-4)
    assert index.recall >= 0.9
    index.effort -= 1
    assert share() < 0.9


def test_the_same_vectors_have_the_same_index_every_time():
    one, other = (make_index("auto", clustered(21_000), random_state=3) for _ in range(2))
    for array, again in zip(one.to_arrays().values(), other.to_arrays().values(), strict=True):
        np.testing.assert_array_equal(array, again)


def test_the_chosen_index_finds_the_neighbours():
    vectors, queries = np.split(clustered(21_000), [20_500])
    index = make_index("auto", vectors, random_state=0)
    assert index.kind == "ivf"
    distances, found = index.search(queries, 10)
    expected, true = NearestNeighbors(n_neighbors=10).fit(vectors).kneighbors(queries)
    hits = np.mean([np.isin(f, t).mean() for f, t in zip(found, true, strict=True)])
    assert hits > 0.98
    own = np.linalg.norm(vectors[found] - queries[:, None], axis=2)
    np.testing.assert_allclose(distances, own, rtol=1e-4, atol=1e-4)
    assert (distances >= expected - 1e-4).all()


def test_exact_search_among_sorted_vectors_numbers_them_as_they_were_given():
    vectors = np.random.default_rng(0).normal(size=(3000, 24)).astype(np.float32)
    index = make_index("auto", vectors, random_state=0)
    assert index.kind == "flat"
    assert not np.array_equal(index.vectors, vectors)  # by cells
    queries = np.random.default_rng(1).normal(size=(100, 24)).astype(np.float32)
    for some in (queries, queries[:3]):  # by products, and by differences
        distances, found = index.search(some, 5)
        expected, true = NearestNeighbors(n_neighbors=5).fit(vectors).kneighbors(some)
        np.testing.assert_array_equal(found, true)
        np.testing.assert_allclose(distances, expected, rtol=1e-5)
    again = type(index).from_arrays(index.to_arrays())
    np.testing.assert_array_equal(again.search(queries, 5)[1], index.search(queries, 5)[1])


@pytest.mark.parametrize("kind", ["auto", "ivf"])
def test_vectors_are_sorted_in_place_only_if_they_may_be(kind):
    vectors = clustered(3000)
    given = vectors.copy()
    kept = make_index(kind, vectors, random_state=0)
    np.testing.assert_array_equal(vectors, given)
    taken = make_index(kind, vectors, random_state=0, overwrite=True)
    assert taken.vectors is vectors
    for index in (kept, taken):
        np.testing.assert_array_equal(index.vectors_of(np.arange(3000)), given)


def test_small_sets_are_flat_and_not_partitioned():
    index = make_index("auto", clustered(1999))
    assert (index.kind, index.report, index.partition) == ("flat", [], None)
