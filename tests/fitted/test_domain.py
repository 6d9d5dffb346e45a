"""Scores of distance, and decisions by them."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors

from ltau import LTAUEstimator


def paper(*args, **settings):
    """Make an estimator as in the paper: every epoch, latents as they are, no stretching."""
    defaults = {"burn_in": 0.0, "scaling": "none", "distance_scaling": 0.0}
    return LTAUEstimator(*args, **defaults | settings)


@pytest.fixture(scope="module")
def latents():
    return np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def estimator(latents):
    return paper(5).fit(latents, np.ones((400, 2)))


def own_scores(latents, k):
    """Score each sample against the others, by scikit-learn."""
    distances, rows = NearestNeighbors(n_neighbors=k).fit(latents).kneighbors()
    own = distances.mean(axis=1)
    return own / own[rows].mean(axis=1)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.5])
def test_the_threshold_is_a_quantile_of_the_training_scores(estimator, latents, rate):
    expected = np.quantile(own_scores(latents, 5), 1 - rate, method="higher")
    assert estimator.ood_threshold(rate) == pytest.approx(expected, rel=1e-5)


def test_the_threshold_keeps_to_the_strata(latents):
    strata = np.array(["H", "C"])[np.arange(400) % 2]
    estimator = paper(5).fit(latents, np.ones((400, 2)), strata)
    scores = np.concatenate([own_scores(latents[strata == label], 5) for label in "CH"])
    expected = np.quantile(scores, 0.9, method="higher")
    assert estimator.ood_threshold(0.1) == pytest.approx(expected, rel=1e-5)


def test_new_samples_of_the_domain_pass_and_others_do_not(estimator):
    rng = np.random.default_rng(1)
    inside, outside = rng.normal(size=(2000, 3)), rng.normal(size=(50, 3)) + 20
    assert estimator.predict_ood(inside).mean() == pytest.approx(0.05, abs=0.03)
    assert estimator.predict_ood(outside).all()
    assert estimator.predict_ood(inside, false_positive_rate=0.2).mean() > 0.1


def test_a_sample_of_the_training_set_is_ranked_in_place_of_all(monkeypatch, estimator, latents):
    monkeypatch.setattr("ltau._fitted.training_scores._MOST_RANKED", 200)
    scores = own_scores(latents, 5)
    assert np.quantile(scores, 0.8) < estimator.ood_threshold(0.1) < np.quantile(scores, 0.97)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, np.nan])
def test_a_rate_that_is_none_is_refused(estimator, latents, rate):
    with pytest.raises(ValueError, match="false_positive_rate between 0 and 1"):
        estimator.predict_ood(latents, false_positive_rate=rate)


def test_no_threshold_before_fit():
    with pytest.raises(NotFittedError):
        paper().ood_threshold()
