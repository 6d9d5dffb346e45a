"""Ratios of distances, and what they stretch."""

import numpy as np
import pytest

from ltau._maths.domain import FARTHEST, local_ratio, stretch_factor

DISTANCE = np.array([0.0, 1.0, 3.0, 2.0])
REFERENCE = np.array([0.0, 2.0, 0.0, 2.0])


def test_nothing_over_nothing_is_1():
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = local_ratio(np, DISTANCE, REFERENCE)
    np.testing.assert_array_equal(ratio, [1, 0.5, np.inf, 1])


def test_the_stretch_is_bounded():
    factor = stretch_factor(2.0, 0.5, np.array([0.0, 4.0, np.inf]))
    np.testing.assert_allclose(factor, [2 / FARTHEST**0.5, 4, 2 * FARTHEST**0.5])


def test_tensors_are_treated_alike():
    torch = pytest.importorskip("torch")
    ratio = local_ratio(torch, torch.tensor(DISTANCE), torch.tensor(REFERENCE))
    np.testing.assert_array_equal(ratio, [1, 0.5, np.inf, 1])
    factor = stretch_factor(2.0, 0.5, ratio)
    np.testing.assert_allclose(factor, stretch_factor(2.0, 0.5, ratio.numpy()))
