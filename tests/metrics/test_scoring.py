import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.metrics import mean_pinball_loss

from ltau import ErrorDistribution
from ltau.metrics import crps, log_score, pinball_loss


@pytest.mark.parametrize("error", [0.0, 0.3, 2.0, 4.5])
def test_crps_is_its_integral(exponential, error):
    distributions = [
        (exponential([0.7]), 40.0),
        (ErrorDistribution([[0.2, 0.5, 0.3]], edges=[0.0, 0.5, 1.0, 3.0]), 5.0),
    ]
    for distribution, far in distributions:

        def integrand(x, distribution=distribution):
            return (distribution.cdf(np.array([[x]]))[0, 0] - (x >= error)) ** 2

        integral = quad(integrand, 0, far, points=[error, 0.5, 1.0, 3.0], limit=200)[0]
        assert crps([error], distribution) == pytest.approx(integral, abs=1e-7)


def test_crps_of_a_prediction_without_spread_is_the_absolute_error():
    narrow = ErrorDistribution(np.ones((3, 1)), edges=[1.0, 1.0 + 1e-9])
    assert crps([0.0, 1.0, 3.0], narrow) == pytest.approx(1.0, abs=1e-8)


def test_log_score_in_closed_form(exponential):
    assert log_score([1.0, 3.0], exponential([0.5, 2.0])) == pytest.approx((2.0 + 1.5) / 2)


def test_log_score_is_infinite_where_the_density_is_0():
    assert log_score([1.5], ErrorDistribution([[1.0]], edges=[0.0, 1.0])) == np.inf


def test_log_score_refuses_a_negative_density(exponential):
    distribution = exponential([1.0])
    distribution.pdf = np.negative
    with pytest.raises(ValueError, match="predicted density to be non-negative"):
        log_score([1.0], distribution)


@pytest.mark.parametrize("score", [crps, log_score])
def test_the_true_distribution_scores_best(score, exponential, rng):
    scale = rng.uniform(0.1, 1.0, size=4000)
    errors = rng.exponential(scale)
    best = score(errors, exponential(scale))
    assert best < score(errors, exponential(0.7 * scale))
    assert best < score(errors, exponential(1.4 * scale))
    assert best < score(errors, exponential(np.full(4000, scale.mean())))


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 0.95, 1.0])
def test_pinball_loss_agrees_with_scikit_learn(level, rng):
    errors, quantiles = rng.random(50), rng.random(50)
    expected = mean_pinball_loss(errors, quantiles, alpha=level)
    assert pinball_loss(errors, quantiles, level) == pytest.approx(expected)


def test_pinball_loss_of_several_levels_is_their_mean(rng):
    errors, quantiles, levels = rng.random(50), rng.random((50, 3)), [0.1, 0.5, 0.9]
    expected = [
        pinball_loss(errors, column, level)
        for column, level in zip(quantiles.T, levels, strict=True)
    ]
    assert pinball_loss(errors, quantiles, levels) == pytest.approx(np.mean(expected))


def test_twice_the_pinball_loss_over_all_levels_is_the_crps(rng):
    distribution = ErrorDistribution(rng.dirichlet(np.ones(5), size=20), np.linspace(0, 2, 6))
    errors = rng.uniform(0, 2, size=20)
    levels = (np.arange(2000) + 0.5) / 2000
    integral = 2 * pinball_loss(errors, distribution.quantile(levels), levels)
    assert crps(errors, distribution) == pytest.approx(integral, rel=1e-4)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 100))
@settings(deadline=None)
def test_no_constant_beats_the_empirical_quantile(errors, level, constant):
    quantile = np.quantile(errors, level, method="inverted_cdf")
    best = pinball_loss(errors, np.full(len(errors), quantile), level)
    assert best <= pinball_loss(errors, np.full(len(errors), constant), level) + 1e-9


def test_pinball_loss_refuses_levels_that_do_not_fit():
    with pytest.raises(ValueError, match="each of 3 levels, got 2"):
        pinball_loss([0.1], [[0.1, 0.2]], [0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match=r"quantiles to be 1-D, got shape \(1, 2\)"):
        pinball_loss([0.1], [[0.1, 0.2]], 0.5)
    with pytest.raises(ValueError, match=r"levels in \[0, 1\], got 0.5 to 90"):
        pinball_loss([0.1], [[0.1, 0.2]], [0.5, 90])
