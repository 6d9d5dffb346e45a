"""Fits whose errors are counted by workers, against fits in one process."""

import dask.array as da
import numpy as np
import pytest
from distributed import default_client

from ltau import LTAUEstimator
from ltau.adapters.dask import DaskEstimator, ShardedEstimator, fit
from ltau.adapters.dask import _fit as module
from ltau.log import ErrorLog


@pytest.fixture(scope="module")
def log(samples, tmp_path_factory):
    """The errors in a log."""
    errors = samples[1]
    path = tmp_path_factory.mktemp("log")
    with ErrorLog(path, len(errors), unit="eV", target="energy", notes={"seed": 1}) as log:
        for epoch in errors.T:
            seen = np.flatnonzero(~np.isnan(epoch))
            log.record(seen, epoch[seen])
            log.end_epoch()
    return ErrorLog(path)


def assert_same_bits(found, expected, queries):
    np.testing.assert_array_equal(found.bin_edges_, expected.bin_edges_)
    np.testing.assert_array_equal(
        found.fitted_.densities.cumulative, expected.fitted_.densities.cumulative
    )
    np.testing.assert_array_equal(found.predict_pdf(queries), expected.predict_pdf(queries))


@pytest.mark.parametrize(
    "params", [{}, {"burn_in": 7, "n_bins": 13, "bins": "linear"}, {"bins": [0, 0.1, 1, 1e3]}]
)
@pytest.mark.parametrize("block_values", [1 << 24, 30 * 64])
def test_a_log_is_fitted_as_in_one_process(samples, log, client, params, block_values, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_VALUES", block_values)
    latents, _, _, queries, _ = samples
    expected = LTAUEstimator(**params).fit(latents, log)
    found = fit(LTAUEstimator(**params), latents, log, client=client)
    assert_same_bits(found, expected, queries)
    assert (found.target_, found.unit_, found.notes_) == ("energy", "eV", {"seed": 1})


def test_dask_arrays_are_fitted_as_those_in_memory(samples, client, in_blocks):
    latents, errors, strata, queries, query_strata = samples
    chunks = da.from_array(errors, chunks=(70, 9))  # neither those of the latents nor whole rows
    estimator = LTAUEstimator()
    found = fit(estimator, in_blocks(latents), chunks, da.from_array(strata, chunks=90), client)
    assert found is estimator
    expected = LTAUEstimator().fit(latents, errors, strata)
    np.testing.assert_array_equal(
        found.predict(queries, query_strata), expected.predict(queries, query_strata)
    )


def test_the_current_client_is_used(samples, log, client):
    assert default_client() is client
    latents = samples[0]
    assert DaskEstimator(fit(LTAUEstimator(), latents, log)).client is client


@pytest.fixture(params=["fit", "sharded"])
def fit_somehow(request, client):
    """Either way to fit to errors on workers, of which both check alike."""
    if request.param == "fit":
        return lambda estimator, *args: fit(estimator, *args, client=client)
    return lambda estimator, *args: ShardedEstimator(estimator, client).fit(*args)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (lambda y: y.compute(), TypeError, "ErrorLog or a Dask array, got ndarray"),
        (lambda y: y.T, ValueError, "errors of 600 samples"),
        (lambda y: y[:, :0], ValueError, "one epoch or more"),
        (lambda y: -y, ValueError, "non-negative"),
        (lambda y: y * np.inf, ValueError, "finite"),
        (lambda y: da.full_like(y, np.nan), ValueError, "at least one error"),
        (
            lambda y: da.where(da.arange(600, chunks=40)[:, None] == 417, np.nan, y),
            ValueError,
            "1 samples have none: 417",
        ),
    ],
)
def test_errors_that_are_none(fit_somehow, samples, in_blocks, bad, error, message):
    latents, errors, *_ = samples
    with pytest.raises(error, match=message):
        fit_somehow(LTAUEstimator(), in_blocks(latents), bad(in_blocks(errors)))


def test_a_log_of_other_samples_or_without_epochs(fit_somehow, samples, in_blocks, tmp_path):
    for log in (ErrorLog(tmp_path / "other", 599), ErrorLog(tmp_path / "empty", 600)):
        with pytest.raises(ValueError, match="Expected errors of 600 samples"):
            fit_somehow(LTAUEstimator(), in_blocks(samples[0]), log)


def test_parameters_are_checked_before_anything_is_read(fit_somehow, samples, in_blocks):
    latents, errors, *_ = samples
    with pytest.raises(ValueError, match="n_neighbors"):
        fit_somehow(LTAUEstimator(0), in_blocks(latents), in_blocks(errors))
    with pytest.raises(ValueError, match="burn_in=30 leaves none"):
        fit_somehow(LTAUEstimator(burn_in=30), in_blocks(latents), in_blocks(errors))
