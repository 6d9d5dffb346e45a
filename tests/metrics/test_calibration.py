import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau import ErrorDistribution
from ltau.metrics import calibration_curve, miscalibration_area, pit, sharpness

fractions = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def area(pit_values):
    """Miscalibration area of uniform predictions, whose PIT values are the errors."""
    uniform = ErrorDistribution(np.ones((len(pit_values), 1)), edges=[0.0, 1.0])
    return miscalibration_area(pit_values, uniform)


def test_pit_is_the_cdf_at_each_error(exponential):
    distribution = exponential([0.5, 1.0, 2.0])
    np.testing.assert_allclose(
        pit([1.0, 0.0, 2.0], distribution), [1 - np.exp(-2), 0.0, 1 - np.exp(-1)]
    )


def test_pit_refuses_a_cdf_above_1(exponential):
    distribution = exponential([1.0])
    distribution.cdf = lambda errors: 2 * errors
    with pytest.raises(ValueError, match=r"the predicted CDF in \[0, 1\], got 2 to 2"):
        pit([1.0], distribution)


def test_calibration_curve_counts_values_not_above_each_level():
    levels, observed = calibration_curve([0.5, 0.1, 0.5, 1.0], [0.0, 0.1, 0.49, 0.5, 1.0])
    np.testing.assert_array_equal(levels, [0.0, 0.1, 0.49, 0.5, 1.0])
    np.testing.assert_array_equal(observed, [0.0, 0.25, 0.25, 0.75, 1.0])


def test_calibration_curve_has_101_levels_by_default():
    levels, observed = calibration_curve([0.2])
    np.testing.assert_array_equal(levels, np.linspace(0, 1, 101))
    assert observed.sum() == 81


@pytest.mark.parametrize("bad", [[0.5, 1.1], [-0.1]])
def test_calibration_curve_refuses_values_outside_0_to_1(bad):
    with pytest.raises(ValueError, match=r"pit_values in \[0, 1\]"):
        calibration_curve(bad)
    with pytest.raises(ValueError, match=r"levels in \[0, 1\]"):
        calibration_curve([0.5], bad)


@given(fractions)
@settings(deadline=None)
def test_area_is_the_integral_of_the_calibration_curve(pit_values):
    levels = (np.arange(20_000) + 0.5) / 20_000
    _, observed = calibration_curve(pit_values, levels)
    assert area(pit_values) == pytest.approx(np.abs(observed - levels).mean(), abs=1e-4)


@given(fractions)
@settings(deadline=None)
def test_area_bounds_and_symmetries(pit_values):
    value = area(pit_values)
    assert 1 / (4 * len(pit_values)) - 1e-12 <= value <= 0.5
    assert area(pit_values[::-1]) == value
    assert area(1 - np.array(pit_values)) == pytest.approx(value)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_area_in_closed_form(n):
    assert area(np.zeros(n)) == area(np.ones(n)) == 0.5
    assert area((np.arange(n) + 0.5) / n) == pytest.approx(1 / (4 * n))


def test_area_tells_calibrated_from_not(exponential, rng):
    scale = rng.uniform(0.1, 1.0, size=4000)
    errors = rng.exponential(scale)
    assert miscalibration_area(errors, exponential(scale)) < 0.02
    # The PIT of doubled errors has the CDF 1 - (1 - p)**(1/2): the area is 1/2 - 1/3.
    area = miscalibration_area(2 * errors, exponential(scale))
    assert area == pytest.approx(1 / 6, abs=0.02)


def test_sharpness_is_the_mean_standard_deviation(exponential):
    assert sharpness(exponential([0.5, 2.0, 3.5])) == pytest.approx(2.0)  # std = mean
