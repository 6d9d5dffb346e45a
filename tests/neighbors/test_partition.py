"""A partition against brute force."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ltau.neighbors._partition import Partition, default_n_cells, max_n_cells


@pytest.mark.parametrize(("n", "n_cells"), [(1, 1), (50, 1), (500, 20), (2000, 51)])
def test_every_vector_is_in_the_nearest_cell(n, n_cells):
    vectors = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    partition = Partition.build(vectors, n_cells, random_state=0)
    np.testing.assert_array_equal(np.sort(partition.rows), np.arange(n))
    assert partition.sizes.sum() == n
    distances = cdist(vectors[partition.rows], partition.centroids)
    cells = np.repeat(np.arange(n_cells), partition.sizes)
    np.testing.assert_allclose(
        distances[np.arange(n), cells], distances.min(axis=1), rtol=1e-4, atol=1e-6
    )


def test_a_partition_repeats_with_its_seed():
    vectors = np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32)
    one, other = (Partition.build(vectors, 30, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.centroids, other.centroids)
    np.testing.assert_array_equal(one.rows, other.rows)


@pytest.mark.parametrize("n", [1, 10, 1000, 10**6, 10**9])
def test_cells_are_not_too_small(n):
    assert 1 <= default_n_cells(n) <= max_n_cells(n) <= max(1, n / 39)


@pytest.mark.parametrize("n_features", [1, 8, 19])
def test_vectors_are_sorted_and_found_again(n_features):
    vectors = np.random.default_rng(0).normal(size=(500, n_features)).astype(np.float32)
    partition = Partition.build(vectors, 7, random_state=0)
    moved = vectors.copy()
    partition.sort(moved)
    np.testing.assert_array_equal(moved, vectors[partition.rows])
    np.testing.assert_array_equal(moved[partition.places], vectors)
