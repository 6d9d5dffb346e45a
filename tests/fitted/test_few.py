"""The summary of a few samples has the numbers of the general way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltau import LTAUEstimator
from ltau._fitted import few, predictor


def data(seed, n=400, n_epochs=40):
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(n, 4))
    errors = np.exp(latents[:, :1]) * rng.choice([0.1, 0.2, 3.0], size=(n, n_epochs))  # with gaps
    errors[rng.random(errors.shape) < 0.1] = np.nan
    queries = np.concatenate([rng.normal(size=(10, 4)), 30 * rng.normal(size=(5, 4))])
    return latents, errors, queries


def both_ways(estimator, queries, monkeypatch, **asked):
    """Summaries by few operations, which must have been taken, and the general one."""
    taken = []

    def counted(*arguments):
        taken.append(arguments)
        return few.summary_of_few(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(predictor, "summary_of_few", counted)
        lean = estimator.predict_summary(queries, **asked)
    assert len(taken) == 1
    with monkeypatch.context() as patch:
        patch.setattr(predictor, "are_few", lambda *_: False)
        return lean, estimator.predict_summary(queries, **asked)


@given(
    seed=st.integers(0, 5),
    k=st.sampled_from([1, 3, 10, 50]),
    level=st.sampled_from([0.0, 0.5, 0.9, 1.0, 1 / 3]),
    stretch=st.sampled_from([("bounded", 3.0), ("power", 1.0), ("bounded", 0.0)]),
)
def test_the_numbers_are_those_of_the_general_way(seed, k, level, stretch):
    latents, errors, queries = data(seed)
    form, exponent = stretch
    estimator = LTAUEstimator(k, stretch=form, distance_scaling=exponent, burn_in=0.0)
    estimator.fit(latents, errors)
    with pytest.MonkeyPatch.context() as monkeypatch:
        lean, general = both_ways(estimator, queries, monkeypatch, level=level)
    for one, other in zip(lean, general, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_counts_that_sum_to_more_than_their_type_holds(monkeypatch):
    latents, errors, queries = data(0, n_epochs=200)  # of a byte, times ten neighbours
    estimator = LTAUEstimator(burn_in=0.0).fit(latents, errors)
    assert estimator.fitted_.densities.cumulative.dtype == np.uint8
    lean, general = both_ways(estimator, queries, monkeypatch)
    np.testing.assert_allclose(lean.error_bar, general.error_bar, rtol=1e-9)


def test_strata_and_calibrations_are_known(monkeypatch):
    latents, errors, queries = data(1)
    strata = np.resize([1, 6], len(latents))
    estimator = LTAUEstimator(5).fit(latents, errors, strata)
    estimator.calibrate(latents, 2 * np.nanmean(errors, axis=1), strata)
    asked = np.resize([6, 1], len(queries))
    lean, general = both_ways(estimator, queries, monkeypatch, strata=asked, level=0.8)
    for one, other in zip(lean, general, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize(
    "case", ["many", "weights", "coincident", "equally near", "targets", "groups"]
)
def test_other_cases_are_left_to_the_general_way(case, monkeypatch):
    latents, errors, queries = data(2)
    settings, given, asked = {"n_neighbors": 5}, {}, {}
    if case == "many":
        queries = np.tile(queries, (100, 1))
    elif case == "weights":
        settings["weights"] = "distance"
    elif case == "coincident":
        latents[1] = latents[0]
    elif case == "equally near":
        latents, queries = np.round(latents), np.round(queries)
        latents = np.unique(latents, axis=0)
        errors = errors[: len(latents)]
    elif case == "targets":
        given, asked = {"targets": errors[:, -1]}, {"y_pred": np.ones(len(queries))}
        given["targets"] = np.nan_to_num(given["targets"])
    estimator = LTAUEstimator(**settings).fit(latents, errors, **given)
    if case == "groups":
        labels = np.resize(["a", "b"], len(latents))
        estimator.calibrate(latents, np.nanmean(errors, axis=1), groups=labels)
        asked["groups"] = np.resize(["b", "a"], len(queries))
    monkeypatch.setattr(predictor, "summary_of_few", None)
    summary = estimator.predict_summary(queries, **asked)
    np.testing.assert_allclose(
        summary.expected_error,
        estimator.predict(queries, **{n: v for n, v in asked.items() if n == "y_pred"}),
    )
