"""Distributions from some of their quantiles."""

import numpy as np

from benchmarks.methods.distributions import from_quantiles


def test_a_distribution_between_quantiles_is_linear_and_has_them():
    levels = np.array([0.25, 0.5, 0.9])
    quantiles = np.array([[1.0, 2.0, 4.0], [0.04, 0.02, 0.01]])  # the second ones cross
    found = from_quantiles(quantiles, levels)
    np.testing.assert_allclose(found.quantile(levels)[0], quantiles[0], rtol=0.02)
    np.testing.assert_allclose(found.quantile(levels)[1], np.sort(quantiles[1]), rtol=0.02)
    np.testing.assert_allclose(found.cdf(0.5)[0], 0.125, rtol=0.02)
    np.testing.assert_allclose(found.quantile(1.0)[0], 4.5)  # as steep as from 0.5 to 0.9
    assert found.quantile(0.0)[0] == 0.0


def test_equal_quantiles_are_a_step():
    found = from_quantiles(np.full((1, 2), 3.0), np.array([0.2, 0.9]))
    assert found.cdf(2.9)[0] < 0.22
    np.testing.assert_allclose(found.quantile(1.0), 3.0, rtol=1e-5)
