"""What is chosen by measurement is the best of what was measured, and reaches the recall."""

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


def cost(record):
    return record["microseconds_few"] * record["microseconds_many"]


@pytest.mark.parametrize(
    "vectors",
    [
        clustered(2500),
        clustered(21_000),
        np.random.default_rng(0).normal(size=(5000, 40)).astype(np.float32),
        np.repeat(clustered(300), 10, axis=0),
        np.zeros((3000, 2), np.float32),
    ],
    ids=["small", "large", "noise", "duplicates", "all the same"],
)
def test_the_least_time_of_those_with_the_recall_is_chosen(vectors):
    index = make_index("auto", vectors, recall=0.95, random_state=0)
    (chosen,) = [record for record in index.report if record["chosen"]]
    assert chosen["kind"] == index.kind
    assert chosen["parameters"] == index.parameters
    assert chosen["recall"] == index.recall >= 0.95
    measured = [
        record
        for record in index.report
        if record["microseconds_few"] is not None and record["n_vectors"] == len(vectors)
    ]
    assert cost(chosen) == min(map(cost, measured))
    assert index.report[0]["kind"] == "flat"
    assert json.loads(json.dumps(index.report)) == index.report


def test_the_chosen_index_finds_the_neighbours():
    vectors, queries = np.split(clustered(21_000), [20_500])
    index = make_index("auto", vectors, random_state=0)
    assert index.kind != "flat"  # by far the slowest here
    distances, found = index.search(queries, 10)
    expected, true = NearestNeighbors(n_neighbors=10).fit(vectors).kneighbors(queries)
    hits = np.mean([np.isin(f, t).mean() for f, t in zip(found, true, strict=True)])
    assert hits > 0.98
    own = np.linalg.norm(vectors[found] - queries[:, None], axis=2)
    np.testing.assert_allclose(distances, own, rtol=1e-4, atol=1e-4)
    assert (distances >= expected - 1e-4).all()


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


def test_cells_are_doubled():
    report = make_index("auto", clustered(20_000), random_state=0).report
    n_cells = [r["parameters"]["n_cells"] for r in report if r["kind"] == "ivf"]
    assert n_cells == [141, 282, 564][: len(n_cells)]
    assert n_cells


def test_a_graph_is_tried_on_parts_first():
    report = make_index("auto", clustered(20_000), random_state=0).report
    graphs = [record["n_vectors"] for record in report if record["kind"] == "hnsw"]
    assert graphs == [200, 2000, 20_000][: len(graphs)]
    assert graphs


def test_small_sets_are_flat_and_not_measured():
    index = make_index("auto", clustered(1999))
    assert (index.kind, index.report) == ("flat", [])
