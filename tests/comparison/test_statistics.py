"""Scores of weighted rows, against the same scores of rows that are repeated."""

import numpy as np
import pytest
from scipy import stats

from ltau import ErrorDistribution
from ltau.comparison._statistics import area_to_diagonal, mean_of, rank_correlation, within_folds
from ltau.metrics import miscalibration_area


@pytest.fixture
def drawn():
    """Values with ties, and how often each row was drawn; some never."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 60) / 8, rng.integers(0, 30, 60) / 29
    return a, b, rng.integers(0, 4, 60).astype(float)


def test_a_weight_is_as_good_as_a_repetition(drawn):
    a, b, weights = drawn
    repeated = np.repeat(np.arange(60), weights.astype(int))
    assert mean_of(a)(weights) == pytest.approx(a[repeated].mean())
    expected = stats.spearmanr(a[repeated], b[repeated]).statistic
    assert rank_correlation(a, b)(weights) == pytest.approx(expected)
    uniform = ErrorDistribution(np.ones((len(repeated), 1)), [0.0, 1.0])
    area = miscalibration_area(b[repeated], uniform)
    assert area_to_diagonal(b)(weights) == pytest.approx(area)


def test_a_constant_has_no_ranks_even_if_rounding_moved_it(drawn):
    a, _, weights = drawn
    constant = np.full(60, 0.1) + 1e-13 * np.arange(60)
    assert np.isnan(rank_correlation(a, constant)(weights))
    only_one = (np.arange(60) == 3).astype(float)
    assert np.isnan(rank_correlation(a, np.arange(60.0))(only_one))


def test_what_differs_between_folds_does_not_count(drawn):
    a, b, _ = drawn
    folds = [np.arange(30), np.arange(30, 60)]
    shifted = b + np.where(np.arange(60) < 30, 0, 100)
    statistic = within_folds(rank_correlation, a, shifted, folds)
    each = [stats.spearmanr(a[rows], b[rows]).statistic for rows in folds]
    assert statistic(np.ones(60)) == pytest.approx(np.mean(each))
    assert statistic((np.arange(60) < 30).astype(float)) == pytest.approx(each[0])
