"""The scores of the regression benchmark, against recomputation."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks.methods.distributions import HalfNormal, constant_distribution
from benchmarks.methods.predictions import QuantilePrediction, SymmetricPrediction
from benchmarks.regression.scoring import score


def test_the_crps_is_that_of_a_gaussian_around_the_prediction():
    rng = np.random.default_rng(0)
    y_pred, y, sigma = rng.normal(size=50), rng.normal(size=50), rng.uniform(0.5, 2, 50)

    def crps(mean, deviation, observed):
        cdf = stats.norm(mean, deviation).cdf
        below = integrate.quad(lambda x: cdf(x) ** 2, -np.inf, observed)[0]
        return below + integrate.quad(lambda x: (1 - cdf(x)) ** 2, observed, np.inf)[0]

    expected = np.mean([crps(*row) for row in zip(y_pred, sigma, y, strict=True)])
    scores = score(SymmetricPrediction(y_pred, HalfNormal(sigma)), y, scale=4.0)
    assert scores["crps"] == pytest.approx(expected / 4)
    assert scores["mae"] == pytest.approx(np.abs(y - y_pred).mean() / 4)


def test_coverage_is_the_share_inside_even_of_skewed_intervals():
    rng = np.random.default_rng(0)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    quantiles = np.sort(rng.exponential(size=(200, 5)), axis=1)
    y = rng.exponential(size=200)
    scores = score(QuantilePrediction(quantiles, levels), y, scale=1.0)
    inside = (quantiles[:, 0] <= y) & (y <= quantiles[:, -1])
    assert scores["coverage_90"] == pytest.approx(inside.mean())
    assert scores["width_90"] == pytest.approx((quantiles[:, -1] - quantiles[:, 0]).mean())


def test_a_constant_ranks_nothing():
    prediction = SymmetricPrediction(np.zeros(5), constant_distribution([0, 1, 3], 5))
    assert math.isnan(score(prediction, np.arange(5.0), 1.0)["spearman"])
