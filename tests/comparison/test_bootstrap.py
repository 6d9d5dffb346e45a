"""Intervals of many scores at once, against those of one score at a time."""

import numpy as np
import pytest

from ltau.comparison._bootstrap import interval, resample
from ltau.comparison._statistics import mean_of
from ltau.metrics import bootstrap_estimate


def test_intervals_are_those_of_the_bootstrap_of_the_metrics():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(25), rng.integers(1, 6, 25))
    values = rng.normal(size=len(groups)) + groups / 10
    resampled = resample([mean_of(values), mean_of(2 * values)], groups)
    found = interval(values.mean(), resampled[:, 0])
    expected = bootstrap_estimate(np.mean, values, groups=groups)  # the same seed, so all but equal
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.level == expected.level
    np.testing.assert_allclose(resampled[:, 1], 2 * resampled[:, 0])  # of the same resamples


def test_a_statistic_that_is_mostly_undefined_has_no_interval():
    resampled = np.where(np.arange(100) < 60, np.nan, 1.0)
    assert np.isnan(interval(1.0, resampled).low)
    assert interval(1.0, resampled[50:]).low == 1.0
