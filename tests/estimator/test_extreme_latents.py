"""Predictions do not depend on where the latents lie, nor on how large they are."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from ltau import LTAUEstimator


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    latents, queries = np.split(rng.normal(size=(2300, 6)), [2000])
    errors = np.abs(rng.normal(size=(2000, 20))) * np.exp(latents[:, :1])
    return latents, errors, queries


def predicted(data, change=lambda latents: latents, **settings):
    latents, errors, queries = data
    estimator = LTAUEstimator(**{"index": "flat"} | settings).fit(change(latents), errors)
    return estimator, estimator.predict_summary(change(queries))


@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
@pytest.mark.parametrize("offset", [3e5, 1e9])
def test_a_shift_changes_nothing(data, scaling, offset):
    _, expected = predicted(data, scaling=scaling)
    _, shifted = predicted(data, lambda z: z + offset * np.arange(6), scaling=scaling)
    for one, other in zip(shifted, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_one_feature_far_away_leaves_the_others_their_say(data):
    far = np.array([0, 0, 0, 3e5, 0, 0])
    _, summary = predicted(
        data,
        lambda z: (z * [0.01, 1, 1, 1, 1, 1] + far).astype(np.float32),
        distance_scaling=0,  # which would add what distances say
    )
    assert spearmanr(summary.expected_error, data[2][:, 0])[0] > 0.95


@pytest.mark.parametrize("scaling", ["none", "whiten"])
@pytest.mark.parametrize("size", [1e-200, 1e-25, 1e25, 1e100])
@pytest.mark.parametrize("index", ["flat", "ivf", "ivf_sq8"])
def test_the_size_of_latents_changes_nothing_but_lengths(data, tmp_path, scaling, size, index):
    ordinary, expected = predicted(data, scaling=scaling, index=index, recall=1.0)
    sized, summary = predicted(data, lambda z: z * size, scaling=scaling, index=index, recall=1.0)
    for one, other in zip(summary, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    distances, rows = sized.kneighbors(size * data[2], 5)
    lengths, same = ordinary.kneighbors(data[2], 5)
    np.testing.assert_array_equal(rows, same)
    np.testing.assert_allclose(distances / (size if scaling == "none" else 1), lengths, rtol=1e-4)
    sized.save(tmp_path / "sized.ltau")
    again = LTAUEstimator.load(tmp_path / "sized.ltau").kneighbors(size * data[2], 5)
    np.testing.assert_array_equal(again[0], distances)


def test_float32_latents_predict_as_float64_ones_of_the_same_values(data):
    rounded = [np.float32(part) for part in data]
    _, one = predicted(rounded)
    _, other = predicted([np.float64(part) for part in rounded])
    np.testing.assert_allclose(one.expected_error, other.expected_error, rtol=1e-5)


def test_integers_are_taken_in_full(data):
    # float32 rounds these to multiples of 64.
    _, expected = predicted(data, lambda z: np.rint(100 * z))
    _, integers = predicted(data, lambda z: np.rint(100 * z).astype(np.int64) + 2**30)
    np.testing.assert_allclose(integers.expected_error, expected.expected_error, rtol=1e-4)


def test_an_exploded_training_row_is_refused_by_name(data):
    broken = data[0].copy()
    broken[17] = 1e30
    with pytest.raises(ValueError, match=r"row 17, whose 1e\+30"):
        LTAUEstimator().fit(broken, data[1])


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq"])
def test_two_runs_with_the_defaults_agree(data, index):
    _, one = predicted(data, index=index)
    _, other = predicted(data, index=index)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


INTEGERS = {
    "n_neighbors": 100,
    "burn_in": 3,
    "n_bins": 100,
    "n_prototypes": 120,
    "memory_limit": 2**31 - 1,
    "n_jobs": 1,
    "random_state": 3,
}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, dtype)
        for name, value in INTEGERS.items()
        for dtype in (np.uint8, np.int16, np.int64, np.uint64)
        if value <= np.iinfo(dtype).max
    ],
)
def test_integers_of_numpy_are_integers(data, name, dtype):
    value = INTEGERS[name]
    _, expected = predicted(data, **{name: value})
    _, found = predicted(data, **{name: dtype(value)})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_neighbours_may_be_numbered_by_numpy_after_fit(data):
    estimator, _ = predicted(data)
    distances, _ = estimator.kneighbors(data[2], np.uint8(200))
    np.testing.assert_array_equal(distances, estimator.kneighbors(data[2], 200)[0])
    expected = estimator.set_params(n_neighbors=200).predict(data[2])
    found = estimator.set_params(n_neighbors=np.uint8(200)).predict(data[2])
    np.testing.assert_array_equal(found, expected)
