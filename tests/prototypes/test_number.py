"""The number of prototypes against the losses measured by hand."""

import numpy as np
import pytest

from ltau import LTAUEstimator
from ltau.log import ErrorLog


@pytest.fixture
def noisy():
    """Errors that differ more within a place than between places: averages are better."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(600, 2)).astype(np.float32)
    scale = np.exp(latents[:, :1] + 0.5 * rng.normal(size=(600, 1)))
    return latents, (scale * rng.random((600, 8))).astype(np.float32)


@pytest.fixture
def clear():
    """Errors that are known from the nearest neighbours alone."""
    latents = np.linspace(0, 40, 400, dtype=np.float32)[:, None]
    return latents, np.repeat(2 + np.sin(latents), 6, axis=1)


def auto(*args, **settings):
    return LTAUEstimator(*args, **{"n_prototypes": "auto", "random_state": 0} | settings)


def held_out(n_samples, n, seed=0):
    """Draw them as the estimator does."""
    chosen = np.zeros(n_samples, bool)
    chosen[np.random.default_rng(seed).permutation(n_samples)[:n]] = True
    return chosen


def test_losses_are_those_of_estimators_that_never_saw_the_held_out_samples(noisy):
    latents, errors = noisy
    estimator = auto(3).fit(latents, errors)
    test = held_out(600, 120)
    bins = estimator.bin_edges_  # those of all errors, held out or not
    crps = {
        n: -LTAUEstimator(3, n_prototypes=n, bins=bins, random_state=0)
        .fit(latents[~test], errors[~test])
        .score(latents[test], errors[test, 3:])  # after the burn-in
        for n in (None, *estimator.prototype_losses_)
    }
    assert list(estimator.prototype_losses_) == [3, 6, 12, 24, 48, 96, 192]
    for number, loss in estimator.prototype_losses_.items():
        assert loss == pytest.approx(crps[number] / min(crps.values()) - 1)
    within = [n for n, loss in estimator.prototype_losses_.items() if loss <= 0.01]
    assert estimator.n_prototypes_ == within[0]


def test_a_larger_tolerance_takes_no_more_prototypes(noisy):
    numbers = [
        auto(3, prototype_tolerance=tolerance).fit(*noisy).n_prototypes_
        for tolerance in (0.0, 0.02, 0.1, 10.0)
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 3 < numbers[0]


def test_the_chosen_number_is_made_of_all_samples(noisy):
    latents, errors = noisy
    chosen = auto().fit(latents, errors)
    asked = LTAUEstimator(n_prototypes=chosen.n_prototypes_, random_state=0).fit(latents, errors)
    np.testing.assert_array_equal(chosen.predict_pdf(latents), asked.predict_pdf(latents))
    assert chosen.n_samples_fit_ == asked.n_samples_fit_ == 600
    assert asked.prototype_losses_ == {}


def test_every_sample_is_kept_where_prototypes_lose_too_much(clear):
    latents, errors = clear
    estimator = auto(1, distance_scaling=0, n_bins=1000).fit(latents, errors)
    assert min(estimator.prototype_losses_.values()) > 0.01
    assert estimator.n_prototypes_ is None
    plain = LTAUEstimator(1, distance_scaling=0, n_bins=1000).fit(latents, errors)
    np.testing.assert_array_equal(estimator.predict_pdf(latents), plain.predict_pdf(latents))


def test_every_stratum_has_held_out_samples_and_enough_left(noisy):
    latents, errors = noisy
    strata = np.repeat(["C", "H", "O"], [500, 88, 12])
    estimator = auto(10).fit(latents, errors, strata)
    assert min(estimator.prototype_losses_) == 30
    assert estimator.n_prototypes_ >= 30


def test_errors_that_are_all_zero_lose_nothing(noisy):
    latents, errors = noisy
    estimator = auto(distance_scaling=0).fit(latents, 0 * errors)
    np.testing.assert_allclose(list(estimator.prototype_losses_.values()), 0, atol=1e-9)


def test_a_log_gives_the_number_that_its_errors_do(noisy, tmp_path):
    latents, errors = noisy
    with ErrorLog(tmp_path / "log", n_samples=600) as log:
        for epoch in errors.T:
            log.record(np.arange(600), epoch)
            log.end_epoch()
        logged = auto().fit(latents, log)
    assert logged.prototype_losses_ == auto().fit(latents, errors).prototype_losses_


def test_too_few_samples_to_hold_any_out_are_refused(noisy):
    latents, errors = noisy
    with pytest.raises(ValueError, match=r"hold out .* n_neighbors = 10 .* got n_samples = 11"):
        auto(10).fit(latents[:11], errors[:11])
    few = auto(10).fit(latents[:13], errors[:13])
    assert few.prototype_losses_ == {}
    assert few.n_prototypes_ is None
