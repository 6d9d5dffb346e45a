"""Errors that come in, at each door where they do."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from ltau import ErrorBins, ErrorHistogram, LTAUEstimator
from ltau._errors.checks import check_observed, check_trajectories, n_burnt_in
from ltau._errors.range import as_float32


@pytest.fixture
def errors():
    errors = np.random.default_rng(0).random((30, 4))
    errors[7, 2] = np.nan
    return errors


HOLDERS = {
    "frame": pd.DataFrame,
    "nullable frame": lambda errors: pd.DataFrame(errors).astype("Float64"),
    "objects with None": lambda errors: np.where(np.isnan(errors), None, errors),
    "objects with NA": lambda errors: np.where(np.isnan(errors), pd.NA, errors),
    "decimals": np.vectorize(Decimal, otypes=[object]),
    "masked": lambda errors: np.ma.masked_array(np.nan_to_num(errors, nan=99.0), np.isnan(errors)),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_errors_are_fitted_whatever_holds_them(errors, holder):
    latents = np.random.default_rng(1).normal(size=(30, 2))
    settings = {"n_neighbors": 3, "index": "flat"}
    expected = LTAUEstimator(**settings).fit(latents, errors)
    fitted = LTAUEstimator(**settings).fit(latents, HOLDERS[holder](errors))
    np.testing.assert_array_equal(fitted.bin_edges_, expected.bin_edges_)
    np.testing.assert_array_equal(fitted.predict_pdf(latents), expected.predict_pdf(latents))


@pytest.mark.parametrize("holder", HOLDERS)
def test_errors_are_counted_whatever_holds_them(errors, holder):
    held = HOLDERS[holder](errors)
    bins = ErrorBins.from_errors(held)
    np.testing.assert_array_equal(bins.edges, ErrorBins.from_errors(errors).edges)
    histogram = ErrorHistogram(bins, 30)
    histogram.update(held)
    np.testing.assert_array_equal(histogram.n_seen, (~np.isnan(errors)).sum(axis=1))
    np.testing.assert_array_equal(as_float32(held), errors.astype(np.float32))


@pytest.mark.parametrize("holder", HOLDERS)
def test_errors_are_observed_whatever_holds_them(errors, holder):
    np.testing.assert_array_equal(check_observed(HOLDERS[holder](errors)), errors)
    held = HOLDERS[holder](errors[:, 1:2])
    np.testing.assert_array_equal(check_observed(np.ma.ravel(held)), errors[:, 1:2])


@pytest.mark.parametrize(
    "take",
    [
        lambda errors: check_trajectories(errors, 2),
        check_observed,
        as_float32,
        ErrorBins.from_errors,
        ErrorBins,
        lambda errors: ErrorHistogram(ErrorBins([0.0, 9.0]), 2).update(errors),
    ],
)
@pytest.mark.parametrize("errors", [[["1"], ["2"]], np.array([[1], ["2"]], object), [[1j], [2]]])
def test_what_looks_like_numbers_is_refused(take, errors):
    with pytest.raises(ValueError, match=r"Expected (errors|bin edges) that are real numbers"):
        take(errors)


def test_a_masked_edge_is_refused():
    with pytest.raises(ValueError, match="finite"):
        ErrorBins(np.ma.masked_array([0.0, 1.0, 2.0], [False, True, False]))


@pytest.mark.parametrize(
    ("burn_in", "n"),
    [(0, 0), (3, 3), (np.int64(3), 3), (0.25, 2), (np.float32(0.25), 2), (1 / 3, 3), (0.0, 0)],
)
def test_epochs_of_the_burn_in(burn_in, n):
    assert n_burnt_in(burn_in, 8) == n


@pytest.mark.parametrize("burn_in", [8, np.int8(9), 0.99])
def test_an_epoch_is_left(burn_in):
    with pytest.raises(ValueError, match="leaves none of the 8 epochs"):
        n_burnt_in(burn_in, 8)
