"""Ratios of distances and disagreement, and what they stretch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltau import Calibration
from ltau._fitted.settings import Settings
from ltau._maths.domain import (
    FARTHEST,
    error_factor,
    excess,
    local_ratio,
    outside_share,
    stretch,
)

DISTANCE = np.array([0.0, 1.0, 3.0, 2.0])
REFERENCE = np.array([0.0, 2.0, 0.0, 2.0])

ratios = st.floats(0, 1e6)
exponents = st.floats(0, 5)


def settings(scale, exponent, form="bounded", c=0.5):
    return Settings(10, "uniform", form, c, Calibration(scale, exponent, {}))


def test_nothing_over_nothing_is_1():
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = local_ratio(np, DISTANCE, REFERENCE)
    np.testing.assert_array_equal(ratio, [1, 0.5, np.inf, 1])


def test_the_share_outside_is_0_inside_and_1_infinitely_far_away():
    share = outside_share(np.array([0.0, 0.5, 1.0, 2.0, 4.0, np.inf]))
    np.testing.assert_array_equal(share, [0, 0, 0, 0.5, 0.75, 1])


def test_a_power_is_bounded_where_samples_coincide():
    factor = stretch("power", 0.5, np.array([0.0, 4.0, np.inf]))
    np.testing.assert_allclose(factor, [1 / FARTHEST**0.5, 2, FARTHEST**0.5])


def test_a_bounded_stretch_is_the_ratio_inside_and_grows_by_the_exponent_beyond():
    ratio = np.array([0.0, 0.5, 0.75, 1.0, 2.0, np.inf])
    np.testing.assert_allclose(stretch("bounded", 2.0, ratio), [0.5, 0.5, 0.75, 1, 2, 3])


@pytest.mark.parametrize("form", ["bounded", "power"])
def test_no_exponent_is_no_stretch(form):
    factor = stretch(form, 0.0, np.array([0.0, 0.5, 1.0, 2.0, np.inf]))
    np.testing.assert_array_equal(factor, np.ones(5))


@given(st.sampled_from(["bounded", "power"]), exponents, ratios, ratios)
def test_farther_samples_are_stretched_no_less(form, exponent, one, other):
    near, far = stretch(form, exponent, np.sort([one, other]))
    assert near <= far
    assert stretch(form, exponent, np.array([1.0])) == 1


def test_the_excess_is_the_disagreement_beyond_the_domain_in_units_of_the_error():
    y_pred = np.array([[3.0, 4.0], [3.0, 4.0]])
    targets = np.array([[[-1.0, 0.0], [3.0, 0.0]]] * 2)
    weights = np.array([[0.75, 0.25], [0.75, 0.25]])  # the mean is the origin: the distance is 5
    usual = np.array([[0.0, 4.0], [1.0, 5.0]])  # on average 1 and 2
    rest = weights, np.array([2.0, 2.0]), np.array([0.9, 4.0])
    found = excess(np, y_pred, targets, usual, *rest)
    np.testing.assert_allclose(found, [0, (0.75 * 5 - 2) / 2])
    np.testing.assert_array_equal(excess(np, y_pred, targets, 9 * usual, *rest), [0, 0])


def test_the_scale_is_of_all_and_the_excess_counts_by_its_share():
    factor = error_factor(settings(3.0, 2.0), np.array([2.0]), np.array([0.8]))
    np.testing.assert_allclose(factor, 3 * (2 + 0.5 * 0.8))
    np.testing.assert_allclose(error_factor(settings(3.0, 2.0, "power"), np.array([2.0])), 3 * 4)


def test_tensors_are_treated_alike():
    torch = pytest.importorskip("torch")
    ratio = local_ratio(torch, torch.tensor(DISTANCE), torch.tensor(REFERENCE))
    np.testing.assert_array_equal(ratio, [1, 0.5, np.inf, 1])
    rng = np.random.default_rng(0)
    sizes = (4, 2), (4, 3, 2), (4, 3), (4, 3), (4,)
    arrays = [rng.random(size) for size in sizes]
    surplus = excess(np, *arrays, ratio.numpy())
    tensors = excess(torch, *map(torch.tensor, arrays), ratio)
    np.testing.assert_allclose(tensors, surplus, rtol=1e-12)
    for form in ("bounded", "power"):
        factor = error_factor(settings(2.0, 1.5, form), ratio, tensors)
        expected = error_factor(settings(2.0, 1.5, form), ratio.numpy(), surplus)
        np.testing.assert_allclose(factor, expected, rtol=1e-12)
