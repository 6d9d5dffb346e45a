"""The scores of a comparison, against recomputation."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from ltau.comparison import GaussianPrediction, QuantilePrediction, SymmetricPrediction
from ltau.comparison._distributions import constant_distribution
from ltau.comparison._observed import observe
from ltau.comparison._scores import SCORES, score
from ltau.metrics import miscalibration_area, spearman


def test_the_crps_is_that_of_a_gaussian_around_the_prediction():
    rng = np.random.default_rng(0)
    y_pred, y, sigma = rng.normal(size=20), rng.normal(size=20), rng.uniform(0.5, 2, 20)

    def crps(mean, deviation, observed):
        cdf = stats.norm(mean, deviation).cdf
        below = integrate.quad(lambda x: cdf(x) ** 2, -np.inf, observed)[0]
        return below + integrate.quad(lambda x: (1 - cdf(x)) ** 2, observed, np.inf)[0]

    expected = np.mean([crps(*row) for row in zip(y_pred, sigma, y, strict=True)])
    prediction = GaussianPrediction(y_pred, sigma)
    scores = score(observe(prediction, y))
    assert list(scores) == list(SCORES)
    assert scores["crps"] == pytest.approx(expected)
    errors = np.abs(y - y_pred)
    assert scores["mae"] == pytest.approx(errors.mean())
    assert scores["spearman"] == pytest.approx(spearman(errors, sigma))
    area = miscalibration_area(errors, prediction.errors)
    assert scores["miscalibration"] == pytest.approx(area)


def test_coverage_is_the_share_inside_even_of_skewed_intervals():
    rng = np.random.default_rng(0)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    quantiles = np.sort(rng.exponential(size=(200, 5)), axis=1)
    y = rng.exponential(size=200)
    scores = score(observe(QuantilePrediction(quantiles, levels), y))
    inside = (quantiles[:, 0] <= y) & (y <= quantiles[:, -1])
    assert scores["coverage_90"] == pytest.approx(inside.mean())
    assert scores["width_90"] == pytest.approx((quantiles[:, -1] - quantiles[:, 0]).mean())


def test_a_constant_ranks_nothing():
    prediction = SymmetricPrediction(np.zeros(5), constant_distribution([0, 1, 3], 5))
    assert math.isnan(score(observe(prediction, np.arange(5.0)))["spearman"])
