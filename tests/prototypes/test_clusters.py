"""Clusters against their definition, and against scikit-learn's k-means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from ltau._prototypes.clusters import centres, cluster, share


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(2000, 3)) + 5 * rng.integers(3, size=(2000, 1))).astype(np.float32)


def spread(vectors, labels):
    """Sum of the squared distances from the means."""
    return sum(
        ((vectors[labels == label] - vectors[labels == label].mean(axis=0)) ** 2).sum()
        for label in range(labels.max() + 1)
    )


def test_clusters_are_about_as_tight_as_those_of_scikit_learn(vectors):
    labels = cluster(vectors, 100, np.random.default_rng(0))
    expected = KMeans(100, n_init=1, random_state=0).fit(vectors).inertia_
    assert spread(vectors, labels) < 1.15 * expected


def test_many_clusters_are_made_within_coarser_ones(vectors, monkeypatch):
    direct = cluster(vectors, 100, np.random.default_rng(0))
    monkeypatch.setattr("ltau._prototypes.clusters._AT_ONCE", 30)
    labels = cluster(vectors, 100, np.random.default_rng(0))
    np.testing.assert_array_equal(np.unique(labels), np.arange(100))
    assert spread(vectors, direct) < spread(vectors, labels) < 1.3 * spread(vectors, direct)


@pytest.mark.parametrize("at_once", [5, 1000])
def test_as_many_clusters_as_vectors_are_one_for_each(vectors, monkeypatch, at_once):
    monkeypatch.setattr("ltau._prototypes.clusters._AT_ONCE", at_once)
    np.testing.assert_array_equal(cluster(vectors, 2000, np.random.default_rng(0)), np.arange(2000))


@pytest.mark.parametrize("at_once", [5, 1000])
def test_no_cluster_is_empty_where_vectors_are_equal(monkeypatch, at_once):
    monkeypatch.setattr("ltau._prototypes.clusters._AT_ONCE", at_once)
    few = np.repeat(np.eye(4, dtype=np.float32), 50, axis=0)
    labels = cluster(few, 40, np.random.default_rng(0))
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
    for label in np.unique(labels):
        assert len(np.unique(few[labels == label], axis=0)) == 1


def test_clusters_depend_on_the_seed_alone(vectors):
    one, same, other = (cluster(vectors, 50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_centres_are_means(vectors):
    labels = cluster(vectors, 30, np.random.default_rng(0))
    expected = [vectors[labels == label].mean(axis=0, dtype=float) for label in range(30)]
    found = centres(vectors, labels)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@given(st.lists(st.integers(3, 1000), min_size=1, max_size=20), st.integers(0, 3), st.data())
def test_shares_sum_up_within_their_limits_and_keep_the_order(sizes, least, data):
    total = data.draw(st.integers(least * len(sizes), sum(sizes)))
    shares = share(total, sizes, least)
    assert sum(shares) == total
    assert all(least <= part <= size for part, size in zip(shares, sizes, strict=True))
    for i, j in zip(np.argsort(sizes)[:-1], np.argsort(sizes)[1:], strict=True):
        assert shares[i] <= shares[j] + 1


def test_shares_are_proportional():
    assert share(100, [1000, 3000], least=0) == [25, 75]
    assert share(20, [1000, 3000], least=10) == [10, 10]
    assert share(4000, [1000, 3000], least=10) == [1000, 3000]
