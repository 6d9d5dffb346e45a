"""Samples that coincide, against comparisons of all pairs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from ltau.neighbors import merge_coincident, scale_strata


def merged(latents, strata=None, scaling="none"):
    latents = np.ascontiguousarray(latents, np.float32)
    return merge_coincident(scale_strata(latents, strata, scaling))


@given(st.integers(2, 60), st.integers(1, 3), st.integers(0, 1000))
def test_equal_samples_become_one(n, width, seed):
    latents = np.random.default_rng(seed).integers(0, 3, size=(n, width))
    strata, owners = merged(latents)
    expected, first = np.unique(latents, axis=0, return_inverse=True)[::1]
    same = first.ravel()[:, None] == first.ravel()
    if len(expected) == n:
        assert owners is None
    else:
        np.testing.assert_array_equal(owners[:, None] == owners, same)
        assert len(strata[0].vectors) == len(expected)


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
def test_samples_that_differ_by_rounding_become_one(scaling):
    rng = np.random.default_rng(0)
    places = rng.normal(size=(200, 8)) + 5
    latents = np.repeat(places, 3, axis=0) * (1 + 1e-7 * rng.normal(size=(600, 8)))
    (stratum,), owners = merged(latents, scaling=scaling)
    np.testing.assert_array_equal(owners, np.repeat(np.arange(200), 3))
    assert stratum.n_samples == 600
    assert (cdist(stratum.vectors, stratum.vectors) + np.eye(200)).min() > 1e-3


def test_samples_that_differ_by_more_stay():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(500, 3))
    _, owners = merged(np.concatenate([latents, latents + 1e-3]))
    assert owners is None


def test_strata_are_merged_apart_and_numbered_throughout():
    latents = np.repeat([[0.0, 1.0], [2.0, 0.0], [5.0, 5.0]], 4, axis=0)
    classes = np.tile(["C", "H"], 6)
    strata, owners = merged(latents, classes)
    assert [stratum.rows.tolist() for stratum in strata] == [[0, 2, 4], [1, 3, 5]]
    assert owners.tolist() == [0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5]
    assert [stratum.n_samples for stratum in strata] == [6, 6]


def test_all_samples_may_coincide():
    (stratum,), owners = merged(np.zeros((7, 3)))
    assert len(stratum.vectors) == 1
    assert owners.tolist() == [0] * 7


@pytest.mark.parametrize("width", [1, 2])
def test_dense_samples_do_not_become_one_through_each_other(width):
    """Each is near the next, and the last is far from the first."""
    latents = np.zeros((100_000, width), np.float32)
    latents[:, 0] = np.linspace(0, 1, 100_000)
    (stratum,) = scale_strata(latents, None, "none")
    dense = replace(stratum, floor=5e-5)  # as of fifty times as many samples
    (kept,), owners = merge_coincident([dense])
    assert 10_000 < len(kept.vectors) < 30_000
    for start in range(0, len(owners), 1000):
        here = latents[owners == owners[start], 0]
        assert np.ptp(here) <= 1.01 * 5e-5


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
@pytest.mark.parametrize("outlier", [1e4, 1e5, 1e6, 1e7])
def test_an_outlier_does_not_make_the_others_one(scaling, outlier):
    latents = np.random.default_rng(0).normal(size=(1000, 1))
    latents[17] = outlier
    (stratum,), owners = merged(latents, scaling=scaling)
    assert len(stratum.vectors) > 50
    spreads = [np.ptp(latents[owners == place]) for place in range(len(stratum.vectors))]
    assert max(spreads) < 0.25


def test_most_of_heavy_tailed_samples_stay():
    latents = np.exp(3 * np.random.default_rng(0).normal(size=(5000, 1)))
    (stratum,), owners = merged(latents, scaling="whiten")
    assert len(stratum.vectors) > 3000
    assert np.bincount(owners).max() < 50
