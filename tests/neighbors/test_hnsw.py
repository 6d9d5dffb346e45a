"""The graph: its effort is tuned for vectors that it does not hold."""

import faiss
import numpy as np
import pytest

from ltau.neighbors import make_index, n_threads
from ltau.neighbors._approximate import ApproximateIndex
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._hnsw import HNSWIndex


def clustered(n, seed):
    """Vectors of 16 features in 50 clusters, each along 6 directions of its own."""
    clusters, rng = np.random.default_rng(0), np.random.default_rng(seed)
    centres, axes = clusters.normal(size=(50, 16)), clusters.normal(size=(50, 6, 16))
    labels = rng.integers(50, size=n)
    inside = np.einsum("ni,nij->nj", rng.normal(size=(n, 6)), axes[labels])
    return (centres[labels] + inside + 0.01 * rng.normal(size=(n, 16))).astype(np.float32)


@pytest.mark.parametrize("recall", [0.9, 0.99])
def test_recall_is_that_of_new_vectors(recall):
    vectors, queries = clustered(12_000, seed=1), clustered(2000, seed=2)
    index = HNSWIndex.build(vectors)
    held_out = HeldOut.draw(vectors, 10, 0)
    assert index.tune(held_out, recall)
    of_new = HeldOut.new(queries, vectors, 10).recall(index)
    assert index.recall >= recall
    assert of_new > 1 - 2 * (1 - recall)
    effort = index.effort
    ApproximateIndex.tune(index, held_out, recall)  # as if vectors of the graph were new
    assert index.effort < effort


def test_few_vectors_are_searched_without_a_part():
    vectors = clustered(3, seed=1)
    index = HNSWIndex.build(vectors)
    assert index.tune(HeldOut.draw(vectors, 2, 0), 1.0)
    assert index.recall == 1.0


def test_the_graph_does_not_depend_on_the_threads():
    vectors = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    links = []
    with n_threads(1):  # gives back the number as it was
        for n in (1, 2, 3):
            faiss.omp_set_num_threads(n)
            links.append(make_index("hnsw", vectors).to_arrays()["links"])
    np.testing.assert_array_equal(links[1], links[0])
    np.testing.assert_array_equal(links[2], links[0])
