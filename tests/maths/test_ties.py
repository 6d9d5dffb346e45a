"""The tie rule: the upper end, for sums that rounding makes a little less or more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltau import ErrorDistribution
from ltau._maths.ties import TIE, level_to_reach, quantile_in_bin


@given(st.integers(1, 9), st.sampled_from([-4, -1, 0, 1, 4]))
def test_a_gap_is_left_by_its_upper_end_whatever_rounding_does(tenths, ulps):
    """`tenths` tenths of all errors lie in the first bin, the others in the last of five."""
    p = tenths / 10
    distribution = ErrorDistribution([[p, 0, 0, 0, 1 - p]], np.arange(6.0))
    level = p + ulps * np.spacing(p)
    np.testing.assert_allclose(distribution.quantile(level), 4.0, atol=1e-9)


def test_the_ends_of_a_distribution():
    distribution = ErrorDistribution([[0, 0, 0.5, 0.5, 0]], np.arange(6.0))
    np.testing.assert_array_equal(distribution.quantile([0.0, 1.0]), [[2.0, 4.0]])


@given(st.floats(0, 1))
def test_a_quantile_has_the_probability_of_its_level(level):
    p = np.array([0.1, 0.0, 0.3, 0.0, 0.6])
    distribution = ErrorDistribution([p], np.arange(6.0))
    error = distribution.quantile(level)
    np.testing.assert_allclose(distribution.cdf(error), level, atol=2 * TIE)


def test_tensors_are_treated_alike():
    torch = pytest.importorskip("torch")
    levels = np.linspace(0, 1, 11)
    of_torch = level_to_reach(torch.tensor(levels))
    np.testing.assert_array_equal(of_torch, level_to_reach(levels))
    ends = [np.full(11, x) for x in (0.2, 0.8, 1.0, 3.0)]
    of_torch = quantile_in_bin(torch.tensor(levels), *map(torch.tensor, ends))
    np.testing.assert_allclose(of_torch, quantile_in_bin(levels, *ends), rtol=1e-15)
