"""Predictions of the target, against closed forms."""

import numpy as np
import pytest
from scipy import stats

from ltau.comparison import GaussianPrediction, QuantilePrediction


def test_folded_quantiles_of_a_gaussian_are_those_of_a_half_normal():
    levels = np.linspace(0.005, 0.995, 199)
    quantiles = stats.norm(loc=[[1.0], [-5.0]], scale=[[1.0], [3.0]]).ppf(levels)
    prediction = QuantilePrediction(quantiles, levels)
    np.testing.assert_allclose(prediction.y_pred, [1, -5])
    for level in (0.5, 0.9):
        expected = stats.halfnorm(scale=[1, 3]).ppf(level)
        np.testing.assert_allclose(prediction.errors.quantile(level), expected, rtol=0.01)


def test_central_intervals_of_skewed_quantiles_are_those_quantiles():
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    quantiles = np.array([[0.0, 1.0, 2.0, 5.0, 10.0], [10.0, 5.0, 2.0, 1.0, 0.0]])  # crossed
    prediction = QuantilePrediction(quantiles, levels)
    np.testing.assert_allclose(prediction.interval(0.9), [[0, 10], [0, 10]], atol=1e-9)
    np.testing.assert_allclose(prediction.interval(0.5), [[1, 5], [1, 5]], atol=1e-9)
    # |y - 2| <= 1 holds from 1 to 3: 0.25 to the median, a third of 0.25 above it.
    np.testing.assert_allclose(prediction.errors.cdf(1.0), 0.25 + 0.25 / 3, atol=0.01)


def test_equal_quantiles_are_no_error():
    prediction = QuantilePrediction(np.full((3, 3), 7.0), np.array([0.1, 0.5, 0.9]))
    assert (prediction.errors.mean() < 1e-30).all()


@pytest.mark.parametrize(
    ("levels", "shape"),
    [([0.1, 0.9], (2, 2)), ([0.5, 0.1, 0.9], (2, 3)), ([0.0, 0.5, 1.0], (2, 3)), ([0.5], (2, 1))],
)
def test_levels_ascend_around_one_half(levels, shape):
    with pytest.raises(ValueError, match="levels that ascend"):
        QuantilePrediction(np.zeros(shape), np.array(levels))


def test_there_is_a_quantile_for_each_level():
    with pytest.raises(ValueError, match=r"3 quantiles .* shape \(2, 5\)"):
        QuantilePrediction(np.zeros((2, 5)), np.array([0.1, 0.5, 0.9]))


def test_intervals_of_a_gaussian_are_those_of_scipy_down_to_no_width():
    prediction = GaussianPrediction(np.array([1.0, 5.0, 7.0]), np.array([1.0, 3.0, 0.0]))
    expected = np.stack(stats.norm([1, 5], [1, 3]).interval(0.9), axis=1)
    np.testing.assert_allclose(prediction.interval(0.9)[:2], expected)
    np.testing.assert_allclose(prediction.interval(0.9)[2], 7.0)
    np.testing.assert_allclose(prediction.errors.crps(np.full((3, 1), 0.5))[2], 0.5)
    np.testing.assert_allclose(prediction.errors.cdf(np.full((3, 1), 0.5))[2], 1.0)


def test_negative_deviations_are_refused():
    with pytest.raises(ValueError, match="at least 0, got 1 below"):
        GaussianPrediction(np.zeros(2), np.array([1.0, -1.0]))
