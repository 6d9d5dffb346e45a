"""Scaling of latents against scikit-learn's."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ltau.neighbors import LatentScaler, scatter


@pytest.fixture
def latents():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(500, 5)) @ rng.normal(size=(5, 5)) + 10).astype(np.float32)


def test_none_keeps_distances(latents):
    scaled = LatentScaler.fit(latents, "none").transform(latents)
    np.testing.assert_allclose(pdist(scaled), pdist(latents), rtol=1e-5)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)


def test_standardize_is_that_of_scikit_learn(latents):
    scaled = LatentScaler.fit(latents, "standardize").transform(latents)
    expected = StandardScaler().fit_transform(latents.astype(np.float64))
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-6)


def test_whitened_distances_are_those_of_scikit_learn(latents):
    queries = latents[:50] + 1
    scaler = LatentScaler.fit(latents, "whiten")
    pca = PCA(whiten=True).fit(latents.astype(np.float64))
    expected = cdist(pca.transform(queries), pca.transform(latents))
    # scikit-learn divides by n - 1 where we divide by n.
    expected *= np.sqrt(len(latents) / (len(latents) - 1))
    np.testing.assert_allclose(
        cdist(scaler.transform(queries), scaler.transform(latents)), expected, rtol=1e-4
    )


@pytest.mark.parametrize("ratio", [1e2, 1e4])
def test_features_of_unlike_scales_all_count(latents, ratio):
    latents[:, 0] *= ratio
    exact = latents.astype(np.float64)
    scaled = LatentScaler.fit(latents, "standardize").transform(latents)
    np.testing.assert_allclose(scaled, StandardScaler().fit_transform(exact), rtol=1e-3, atol=1e-4)
    whitened = LatentScaler.fit(latents, "whiten").transform(latents)
    # Of the directions mixed with the large feature, float32 keeps fewer digits.
    np.testing.assert_allclose(np.cov(whitened.T, bias=True), np.eye(5), atol=1e-3)


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
def test_latents_whose_distances_overflow_are_refused(latents, scaling):
    scaler = LatentScaler.fit(latents, scaling)
    with pytest.raises(ValueError, match=r"squared distances fit in float32, got \d"):
        scaler.transform(np.full((1, 5), 1e26, np.float32))


@pytest.mark.parametrize("scaling", ["standardize", "whiten"])
def test_a_feature_that_never_varies_is_measured_like_the_others(latents, scaling):
    latents[:, 2] = 3.0
    scaler = LatentScaler.fit(latents, scaling)
    moved = latents[:1].copy()
    moved[0, 2] += latents.var(axis=0).mean() ** 0.5  # one root mean standard deviation
    step = np.linalg.norm(scaler.transform(moved) - scaler.transform(latents[:1]))
    assert step == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
def test_identical_latents_stay_identical(scaling):
    scaled = LatentScaler.fit(np.full((10, 3), 7, np.float32), scaling).transform(
        np.full((4, 3), 7, np.float32)
    )
    np.testing.assert_array_equal(scaled, np.zeros((4, 3)))


def test_large_sets_are_scaled_in_pieces(monkeypatch, latents):
    whole = LatentScaler.fit(latents, "whiten").transform(latents)
    monkeypatch.setattr("ltau.neighbors._scaling._CHUNK_ROWS", 64)
    pieces = LatentScaler.fit(latents, "whiten").transform(latents)
    # The sign of an axis is arbitrary; distances are not.
    np.testing.assert_allclose(pdist(pieces), pdist(whole), rtol=1e-4)


def test_unknown_scaling_is_an_error(latents):
    with pytest.raises(ValueError, match="got 'minmax'"):
        LatentScaler.fit(latents, "minmax")


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
def test_moments_of_parts_add_up_to_the_scaling(latents, scaling):
    parts = np.array_split(latents, 4)
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / len(latents)
    covariance = sum(scatter(part, mean) for part in parts) / len(latents)
    merged = LatentScaler.from_moments(mean, covariance, scaling).transform(latents)
    whole = LatentScaler.fit(latents, scaling).transform(latents)
    np.testing.assert_allclose(pdist(merged), pdist(whole), rtol=1e-6)
