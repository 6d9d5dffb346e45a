"""Distributions of the absolute error, against scipy."""

import numpy as np
import pytest
from scipy import integrate, stats

from ltau.comparison._distributions import HalfNormal, constant_distribution


def test_the_half_normal_is_that_of_scipy():
    sigma = np.array([0.5, 2.0])
    errors = np.array([[0.1, 0.7], [0.0, 5.0]])
    ours, theirs = HalfNormal(sigma), stats.halfnorm(scale=sigma)
    np.testing.assert_allclose(ours.cdf(errors), theirs.cdf(errors.T).T)
    np.testing.assert_allclose(ours.pdf(errors), theirs.pdf(errors.T).T)
    np.testing.assert_allclose(ours.quantile(0.9), theirs.ppf(0.9))
    np.testing.assert_allclose(ours.mean(), theirs.mean())
    np.testing.assert_allclose(ours.std(), theirs.std())


@pytest.mark.parametrize("error", [0.0, 0.3, 4.0])
def test_the_crps_of_the_half_normal_is_its_integral(error):
    cdf = stats.halfnorm(scale=1.5).cdf
    below = integrate.quad(lambda x: cdf(x) ** 2, 0, error)[0]
    above = integrate.quad(lambda x: (1 - cdf(x)) ** 2, error, np.inf)[0]
    crps = HalfNormal(np.array([1.5])).crps(np.array([[error]]))
    assert crps[0, 0] == pytest.approx(below + above, abs=1e-8)


def test_a_constant_distribution_has_its_quantiles_and_merges_ties():
    distribution = constant_distribution([0.0, 1.0, 2.0, 2.0, 4.0], n_samples=3)
    assert len(distribution) == 3
    np.testing.assert_allclose(distribution.quantile([0.25, 0.75, 1.0])[2], [1, 2, 4])
