"""The conformal guarantee as a statistic: many calibrations, exact binomial bounds."""

import numpy as np
import pytest
from scipy.stats import binomtest

from ltau import Calibration, ErrorDistribution, LTAUEstimator
from ltau._fitted.conformal import bound, conformal_scores

ALARM = 1e-6  # chance of a false alarm of each test


def draw(rng, n):
    """Latents, and errors whose law no training density describes well."""
    latents = rng.normal(size=(n, 2))
    return latents, 2.5 * rng.exponential(size=n) ** 1.5 * np.exp(0.7 * latents[:, 1])


@pytest.fixture(scope="module")
def estimator():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(300, 2))
    errors = np.abs(rng.normal(size=(300, 20))) * np.exp(latents[:, :1])
    return LTAUEstimator(5, n_bins=20, n_jobs=1, random_state=0).fit(latents, errors)


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize("stretch_fraction", [0.0, 0.5])
def test_a_new_error_stays_within_its_bound(estimator, level, stretch_fraction):
    rng = np.random.default_rng(1)
    n_draws, n = (1000 if stretch_fraction == 0 else 120), 39
    covered = 0
    for _ in range(n_draws):  # one new sample a calibration: independent trials
        latents, errors = draw(rng, n + 1)
        estimator.calibrate(latents[:n], errors[:n], stretch_fraction=stretch_fraction)
        covered += errors[n] <= estimator.predict_quantile(latents[n:], level)[0]
    assert binomtest(int(covered), n_draws, level, alternative="less").pvalue > ALARM


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_bound_is_no_wider_than_the_sample_asks(level):
    """Without ties the coverage is ceil((n + 1) level) / (n + 1), exactly."""
    rng = np.random.default_rng(2)
    n_draws, n = 6000, 24
    covered = 0
    shape = ErrorDistribution(np.full((n + 1, 4), 0.25), [0.0, 0.1, 1.0, 2.0, 4.0])
    for _ in range(n_draws):
        errors = rng.exponential(size=(n + 1, 1))
        scores = conformal_scores(shape, errors)[:n, 0]
        levels = Calibration(1.0, 0.0, {None: np.sort(scores)}).levels(level)
        covered += errors[n, 0] <= bound(shape[n], levels[None, :])[0, 0]
    exact = np.ceil(round((n + 1) * level, 9)) / (n + 1)
    assert binomtest(int(covered), n_draws, exact).pvalue > ALARM
