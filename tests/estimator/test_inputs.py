"""Latents, predictions and settings as other libraries hand them over."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ltau import LTAUEstimator

INTEGERS = {
    "n_neighbors": 7,
    "burn_in": 3,
    "n_bins": 50,
    "n_prototypes": 20,
    "memory_limit": 10**8,
    "n_jobs": 1,
    "random_state": 1,
}
FLOATS = {"recall": 0.875, "distance_scaling": 0.25, "burn_in": 0.25, "prototype_tolerance": 0.5}


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 3)), rng.exponential(size=(60, 9))


def new(**settings):
    return LTAUEstimator(**({"index": "flat", "random_state": 0} | settings))


def integers():
    cases = [
        (name, kind)
        for name, value in INTEGERS.items()
        for kind in (np.int64, np.int16, np.uint32)
        if value <= np.iinfo(kind).max
    ]
    return [pytest.param(*case) for case in cases]


@pytest.mark.parametrize(("name", "kind"), integers())
def test_settings_are_integers_of_any_kind(samples, tmp_path, name, kind):
    latents, errors = samples
    value = INTEGERS[name]
    expected = new(**{name: value}).fit(latents, errors).predict(latents)
    estimator = new(**{name: kind(value)}).fit(latents, errors)
    np.testing.assert_array_equal(estimator.predict(latents), expected)
    estimator.save(tmp_path / "saved")
    loaded = LTAUEstimator.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict(latents), expected)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("name", FLOATS)
def test_settings_are_floats_of_any_kind(samples, name, kind):
    latents, errors = samples
    expected = new(**{name: FLOATS[name]}).fit(latents, errors).predict(latents)
    actual = new(**{name: kind(FLOATS[name])}).fit(latents, errors).predict(latents)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("n_rows", [2, 50])
def test_neighbors_are_asked_for_by_integers_of_any_kind(samples, n_rows):
    latents, errors = samples
    estimator = new().fit(latents, errors)
    expected = estimator.kneighbors(latents[:n_rows], 5)
    for actual in (
        estimator.kneighbors(latents[:n_rows], np.int64(5)),
        estimator.set_params(n_neighbors=np.int64(5)).kneighbors(latents[:n_rows]),
    ):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("call", ["fit", "predict", "predict_interval"])
def test_masked_values_are_refused(samples, call):
    latents, errors = samples
    masked = np.ma.masked_array(latents, latents > 1)
    estimator = new().fit(latents, errors)
    calls = {
        "fit": lambda: new().fit(masked, errors),
        "predict": lambda: estimator.predict(masked),
        "predict_interval": lambda: estimator.predict_interval(latents, masked[:, 0], 0.5),
    }
    with pytest.raises(ValueError, match="NaN"):
        calls[call]()


def test_a_mask_that_hides_nothing_is_no_matter(samples):
    latents, errors = samples
    estimator = new().fit(latents, errors)
    expected = estimator.predict(latents)
    np.testing.assert_array_equal(estimator.predict(np.ma.array(latents)), expected)


def test_tensors_on_the_cpu_are_arrays(samples):
    torch = pytest.importorskip("torch")
    latents, errors = samples
    strata = np.arange(60) % 2
    expected = new().fit(latents, errors, strata).predict(latents, strata)
    tensors = [torch.tensor(array) for array in (latents, errors, strata)]
    estimator = new().fit(*tensors)
    np.testing.assert_array_equal(estimator.predict(tensors[0], tensors[2]), expected)


@pytest.mark.parametrize("which", ["latents", "errors"])
def test_tensors_with_a_graph_are_to_be_detached(samples, which):
    torch = pytest.importorskip("torch")
    arrays = dict(zip(("latents", "errors"), samples, strict=True))
    arrays[which] = torch.tensor(arrays[which], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"tensor\.detach\(\)"):
        new().fit(*arrays.values())


ARRAY_API = """
import numpy as np
import sklearn
import torch
from ltau import LTAUEstimator

rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 3)), rng.random((60, 9))
expected = LTAUEstimator(index="flat").fit(X, y).predict(X)
with sklearn.config_context(array_api_dispatch=True):
    estimator = LTAUEstimator(index="flat").fit({of}(X), {of}(y))
    assert np.array_equal(estimator.predict({of}(X)), expected)
    assert np.allclose(estimator.predict({of}(X.astype("f4"))), expected, rtol=1e-4)
    estimator.calibrate({of}(X), {of}(y[:, 0])).score({of}(X), {of}(y))
"""


@pytest.mark.parametrize("of", ["np.asarray", "torch.tensor"])
def test_arrays_are_taken_where_scikit_learn_dispatches_them(of):
    pytest.importorskip("torch")
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}  # asked for before SciPy is imported
    run = [sys.executable, "-c", ARRAY_API.format(of=of)]
    subprocess.run(run, check=True, env=environment, capture_output=True, text=True)
