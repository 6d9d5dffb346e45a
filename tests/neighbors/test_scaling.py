"""Scaling of latents against scikit-learn's."""

from math import fsum

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ltau.neighbors import LatentScaler, scatter
from ltau.neighbors._scaling import extremes


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


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
@pytest.mark.parametrize("offset", [3e5, 1e8, 1e11])
def test_float64_latents_may_be_shifted(scaling, offset):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(500, 5)) @ rng.normal(size=(5, 5))
    shifted = latents + offset * np.arange(1, 6)
    scaled = LatentScaler.fit(shifted, scaling).transform(shifted)
    expected = LatentScaler.fit(latents, scaling).transform(latents)
    rounding = np.finfo(np.float64).eps * offset  # that of the latents given
    np.testing.assert_allclose(pdist(scaled), pdist(expected), rtol=1e-5 + 100 * rounding)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_feature_far_from_zero_does_not_hide_the_others(latents, dtype):
    latents = (latents - 10 + [0, 0, 3e5, 0, 0]).astype(dtype)
    latents[:, 0] /= 100
    scaled = LatentScaler.fit(latents, "whiten").transform(latents)
    np.testing.assert_allclose(np.cov(scaled.T, bias=True), np.eye(5), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("range_", [2, 5, 6.5, 12])  # decades; units change at six
def test_features_of_any_scales_are_whitened(range_, dtype):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(500, 5)) @ rng.normal(size=(5, 5))
    unlike = (latents * 10.0 ** np.linspace(-range_, range_, 5)).astype(dtype)
    scaled = LatentScaler.fit(unlike, "whiten").transform(unlike)
    np.testing.assert_allclose(np.cov(scaled.T, bias=True), np.eye(5), atol=1e-4)
    expected = PCA(whiten=True).fit_transform(latents) * np.sqrt(500 / 499)
    np.testing.assert_allclose(pdist(scaled), pdist(expected), rtol=2e-4)


def test_rounding_is_not_taken_for_variance():
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(1000, 3)) + 50
    exact[:, 2] = exact[:, 0] + exact[:, 1] + 1e-6 * rng.normal(size=1000)
    within = np.array([1, 1, -1]) / np.sqrt(3)  # the direction that hardly varies

    def spread(dtype):
        scaler = LatentScaler.fit(exact.astype(dtype), "whiten")
        return 1e-6 * within @ scaler.matrix

    assert np.linalg.norm(spread(np.float32)) < 1e-5  # it is rounding
    assert np.linalg.norm(spread(np.float64)) == pytest.approx(np.sqrt(3), rel=0.1)  # it is not


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
@pytest.mark.parametrize("size", [1e-30, 1e-25, 1e25, 1e35])
def test_latents_of_any_size_are_scaled(latents, scaling, size, dtype):
    sized = (latents.astype(np.float64) * size).astype(dtype)
    scaler = LatentScaler.fit(sized, scaling)
    scaled = scaler.transform(sized)
    squared = np.float32(pdist(scaled)) ** 2  # as a search has them
    expected = pdist(LatentScaler.fit(latents, scaling).transform(latents))
    unit = size if scaling == "none" else 1
    np.testing.assert_allclose(np.sqrt(squared) * scaler.unit, expected * unit, rtol=1e-4)
    assert (squared > 1e-20).all()


def test_a_unit_is_kept_and_older_files_have_none(latents):
    scaler = LatentScaler.fit(latents * np.float32(1e-25), "none")
    assert scaler.unit != 1
    again = LatentScaler.from_arrays(scaler.to_arrays())
    assert again.unit == scaler.unit
    np.testing.assert_array_equal(again.matrix, scaler.matrix)
    ordinary = LatentScaler.fit(latents, "whiten")
    assert set(ordinary.to_arrays()) == {"mean", "matrix"}
    assert LatentScaler.from_arrays(ordinary.to_arrays()).unit == 1


@pytest.mark.parametrize("unit", [0.0, -1.0, np.inf, np.nan, np.ones(2), np.float32(2)])
def test_a_unit_that_is_none_is_refused(latents, unit):
    arrays = LatentScaler.fit(latents, "none").to_arrays() | {"unit": np.asarray(unit)}
    with pytest.raises(ValueError, match="do not fit each other"):
        LatentScaler.from_arrays(arrays)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_extremes_are_those_of_numpy(n, dtype):
    latents = np.random.default_rng(n).normal(size=(n, 3)).astype(dtype)
    low, high = extremes(latents)
    np.testing.assert_array_equal(low, latents.min(axis=0))
    np.testing.assert_array_equal(high, latents.max(axis=0))


def test_the_mean_is_as_exact_as_the_latents():
    latents = 1e12 + np.random.default_rng(0).random((200_000, 2))
    expected = 1e12 + np.array([fsum(column) for column in (latents - 1e12).T]) / 200_000
    np.testing.assert_allclose(LatentScaler.fit(latents, "none").mean, expected, rtol=3e-16)
