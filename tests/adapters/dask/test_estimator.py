"""Predictions on Dask arrays, against those of the estimator itself."""

import gc
import pickle

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import as_completed
from sklearn.exceptions import NotFittedError

from ltau import ErrorSummary, LTAUEstimator
from ltau.adapters.dask import DaskEstimator

CALLS = {
    "predict": {},
    "predict_pdf": {},
    "predict_cdf": {"tolerance": 0.5},
    "predict_quantile": {"q": [0.1, 0.9]},
    "predict_interval": {"y_pred": np.arange(150.0), "level": 0.9},
    "predict_summary": {"level": 0.5},
    "kneighbors": {"n_neighbors": 3},
    "ood_score": {},
    "predict_ood": {"false_positive_rate": 0.2},
}


@pytest.fixture(scope="module")
def fitted(samples):
    latents, errors, *_ = samples
    return LTAUEstimator().fit(latents, errors)


@pytest.fixture(scope="module")
def with_strata(samples):
    latents, errors, strata, *_ = samples
    return LTAUEstimator(weights="uniform", stretch="power").fit(latents, errors, strata)


@pytest.fixture(scope="module")
def predictor(fitted, client):
    return DaskEstimator(fitted, client)


@pytest.fixture(scope="module")
def predictor_with_strata(with_strata, client):
    return DaskEstimator(with_strata, client)


def assert_same(found, expected):
    """Check what was promised of lazy arrays, and their values."""
    several = isinstance(expected, tuple)
    lazy, expected = (found, expected) if several else ((found,), (expected,))
    for array, computed, values in zip(lazy, dask.compute(*lazy), expected, strict=True):
        assert array.shape == values.shape
        assert array.dtype == computed.dtype == values.dtype
        assert array.chunks[0] == (40, 40, 40, 30)
        exact = values.dtype.kind != "f"
        np.testing.assert_allclose(computed, values, rtol=0 if exact else 1e-6)


@pytest.mark.parametrize("method", CALLS)
def test_predictions(predictor, fitted, samples, in_blocks, method):
    queries = samples[3]
    found = getattr(predictor, method)(in_blocks(queries), **CALLS[method])
    assert_same(found, getattr(fitted, method)(queries, **CALLS[method]))


@pytest.mark.parametrize("method", CALLS)
def test_predictions_with_strata(predictor_with_strata, with_strata, samples, in_blocks, method):
    queries, strata = samples[3:]
    found = getattr(predictor_with_strata, method)(
        in_blocks(queries), strata=da.from_array(strata, chunks=70), **CALLS[method]
    )
    assert_same(found, getattr(with_strata, method)(queries, strata=strata, **CALLS[method]))


def test_a_calibration_with_groups(samples, client, in_blocks):
    latents, errors, _, queries, groups = samples
    estimator = LTAUEstimator().fit(latents, errors)
    estimator.calibrate(queries, np.nan_to_num(errors[:150, -1]), groups=groups)
    predictor = DaskEstimator(estimator, client)
    found = predictor.predict_quantile(in_blocks(queries), 0.5, groups=groups)
    assert_same(found, estimator.predict_quantile(queries, 0.5, groups=groups))


def test_a_summary_has_its_names(predictor, samples, in_blocks):
    summary = predictor.predict_summary(in_blocks(samples[3]))
    assert isinstance(summary, ErrorSummary)
    assert summary.error_bar.shape == (150,)


def test_nothing_is_computed_before_it_is_asked_for(predictor):
    def fail(block):
        raise AssertionError("a block was computed")

    never = da.zeros((10, 5), chunks=(5, 5)).map_blocks(fail, dtype=float, meta=np.empty((0, 0)))
    assert predictor.predict(never).shape == (10,)


def test_the_estimator_is_not_sent_with_every_task(predictor, samples, in_blocks):
    few = pickle.dumps(dict(predictor.predict(in_blocks(samples[3], 75)).__dask_graph__()))
    many = pickle.dumps(dict(predictor.predict(in_blocks(samples[3], 5)).__dask_graph__()))
    assert len(many) - len(few) < len(pickle.dumps(predictor.estimator)) / 2


def test_a_large_estimator_is_sent_without_a_warning(client):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(40_000, 64)).astype(np.float32)  # 10 MB, at which Dask would warn
    estimator = LTAUEstimator(distance_scaling=0.0, index="flat")
    estimator.fit(latents, rng.random((40_000, 1)))
    estimator._own_distances = estimator.n_neighbors, np.ones(40_000)  # their search takes long
    queries = latents[:100]
    found = DaskEstimator(estimator, client).predict(da.from_array(queries, chunks=(50, 64)))
    np.testing.assert_allclose(found.compute(), estimator.predict(queries), rtol=1e-6)


def test_blocks_without_samples(predictor, fitted, samples):
    queries = samples[3]
    empty = da.from_array(queries[:0], chunks=(0, 5))
    padded = da.concatenate([empty, da.from_array(queries, chunks=(150, 5)), empty])
    np.testing.assert_allclose(predictor.predict(padded), fitted.predict(queries), rtol=1e-6)
    distances, rows = dask.compute(*predictor.kneighbors(padded))
    assert distances.shape == rows.shape == (150, 10)


def test_what_is_wrong_with_values_is_raised_when_they_are_computed(predictor, in_blocks, samples):
    queries = samples[3].copy()
    queries[100, 0] = np.nan
    lazy = predictor.predict(in_blocks(queries))
    with pytest.raises(ValueError, match="NaN"):
        lazy.compute()
    with pytest.raises(ValueError, match="probabilities from 0 to 1"):
        predictor.predict_quantile(in_blocks(samples[3]), 1.5).compute()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda X: X.compute(), TypeError, "Dask array, got ndarray"),
        (lambda X: X[:, 0], ValueError, "shape"),
        (lambda X: X[X[:, 0] > 3], ValueError, "known sizes"),
        (lambda X: X.rechunk((40, 2)), ValueError, "whole rows"),
        (lambda X: X[:, :4], ValueError, "Expected latents of 5 features, got 4"),
        (lambda X: X[:0], ValueError, "shape"),
    ],
)
def test_latents_that_are_not_in_blocks_of_rows(
    predictor, samples, in_blocks, change, error, message
):
    with pytest.raises(error, match=message):
        predictor.predict(change(in_blocks(samples[3])))


def test_strata_must_be_as_at_fit(predictor, predictor_with_strata, samples, in_blocks):
    queries, strata = samples[3:]
    latents = in_blocks(queries)
    with pytest.raises(ValueError, match="fitted without strata"):
        predictor.predict(latents, strata)
    with pytest.raises(ValueError, match="fitted with strata"):
        predictor_with_strata.predict(latents)
    with pytest.raises(ValueError, match=r"Expected strata of shape \(150,\), got \(149,\)"):
        predictor_with_strata.predict(latents, strata[1:])
    with pytest.raises(ValueError, match="Stratum 7 was not seen at fit"):
        predictor_with_strata.predict(latents, np.full(150, 7)).compute()
    with pytest.raises(ValueError, match="strata that are integers, as at fit, got strings"):
        predictor_with_strata.predict(latents, ["7"] * 150).compute()
    with pytest.raises(ValueError, match="a label for every sample, got 1 missing in 150"):
        predictor_with_strata.predict(latents, ["7"] * 149 + [None])


@pytest.mark.parametrize("k", [0, -1, 1.5, "3"])
def test_a_number_of_neighbours(predictor, samples, in_blocks, k):
    with pytest.raises(ValueError, match="Expected n_neighbors >= 1"):
        predictor.kneighbors(in_blocks(samples[3]), k)


def test_more_than_a_row_of_levels_is_refused(predictor, samples, in_blocks):
    latents = in_blocks(samples[3])
    with pytest.raises(ValueError, match="Expected q to be a number or a 1-D array"):
        predictor.predict_quantile(latents, [[0.5]])
    with pytest.raises(ValueError, match="Expected tolerance to be a number or a 1-D array"):
        predictor.predict_cdf(latents, [[0.5]])


def test_an_estimator_that_is_not_fitted_is_refused(client):
    with pytest.raises(NotFittedError):
        DaskEstimator(LTAUEstimator(), client)


def test_predictions_outlive_the_estimator(samples, in_blocks, client):
    latents, errors, _, queries, _ = samples
    whole = LTAUEstimator().fit(latents, errors)
    predictor = DaskEstimator(whole, client)
    lazy = predictor.predict(in_blocks(queries))
    del predictor
    gc.collect()
    np.testing.assert_allclose(lazy.compute(), whole.predict(queries), rtol=1e-5)


def test_workers_killed_in_the_middle(own_client, fitted, samples, in_blocks, loaded_slowly, kill):
    """One of them, and then all: what they had, the estimator with it, is sent anew."""
    queries = samples[3]
    predictor = DaskEstimator(fitted, own_client)
    slow = loaded_slowly(in_blocks(queries, rows=10), 0.15)
    lazy = own_client.persist(predictor.predict(slow))
    pieces = own_client.futures_of(lazy)
    next(as_completed(pieces, loop=own_client.loop))
    kill(own_client, 1)
    assert not all(future.done() for future in pieces)  # it was in the middle
    expected = fitted.predict(queries)
    np.testing.assert_allclose(lazy.compute(scheduler=own_client), expected, rtol=1e-6)
    kill(own_client, 2)
    np.testing.assert_allclose(lazy.compute(scheduler=own_client), expected, rtol=1e-6)
