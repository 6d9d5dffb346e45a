"""OC20's shares within thresholds, against loops over them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.is2rs.measuring.thresholds import (
    average_distance_within_threshold,
    average_force_within_threshold,
)

MEASURES = {
    average_distance_within_threshold: np.arange(0.01, 0.5, 0.001),
    average_force_within_threshold: np.arange(0.01, 0.4, 0.001),
}
BOTH = pytest.mark.parametrize(
    ("measure", "thresholds"), MEASURES.items(), ids=lambda value: getattr(value, "__name__", "")
)


@BOTH
def test_it_is_the_mean_share_below(measure, thresholds):
    values = np.random.default_rng(0).exponential(0.2, 30)
    shares = [sum(value < threshold for value in values) / 30 for threshold in thresholds]
    assert measure(values) == pytest.approx(np.mean(shares))


@BOTH
def test_its_ends(measure, thresholds):
    assert measure([0.0, 0.0]) == 1
    assert measure([thresholds[-1] + 0.0005]) == 0
    assert measure([thresholds[-1] - 0.0005]) == pytest.approx(1 / len(thresholds))


def test_a_threshold_itself_is_not_below():
    # 0.101, 0.102, ... 0.499 of 0.010, ... 0.499
    assert average_distance_within_threshold([0.1]) == pytest.approx(399 / 490)
    assert average_force_within_threshold([0.1]) == pytest.approx(299 / 390)


@BOTH
@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=8), data=st.data())
def test_the_order_of_systems_is_nothing(measure, thresholds, values, data):
    other = data.draw(st.permutations(values))
    assert measure(values) == pytest.approx(measure(other))


@BOTH
@pytest.mark.parametrize("values", [[], [0.1, np.nan], [-0.1], [[0.1]]])
def test_what_is_no_distance_is_refused(measure, thresholds, values):
    with pytest.raises(ValueError, match="of at least one relaxation, none negative"):
        measure(values)
