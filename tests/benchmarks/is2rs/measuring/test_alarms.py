"""Alarms, against closed forms and a search over thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.is2rs.measuring.alarms import lead_time


def peaked(*peaks):
    """Make relaxations of four steps whose scores peak in the third."""
    return [np.array([0.0, 1.0, peak, 2.0]) for peak in peaks]


class TestThreshold:
    def test_of_twenty_good_ones_one_may_raise_an_alarm(self):
        found = lead_time([*peaked(*range(10, 30)), *peaked(28.5, 28.0)], [False] * 20 + [True] * 2)
        assert found.threshold == 28
        assert found.false_positives == 1 / 20
        assert found.caught == 0.5

    def test_of_nineteen_none_may(self):
        found = lead_time([*peaked(*range(10, 29)), *peaked(28.5, 28.0)], [False] * 19 + [True] * 2)
        assert found.threshold == 28
        assert found.false_positives == 0
        assert found.caught == 0.5

    def test_tied_good_ones_raise_none_together(self):
        found = lead_time(peaked(*[5.0] * 40, 5.0), [False] * 40 + [True])
        assert (found.false_positives, found.caught) == (0, 0)

    @pytest.mark.parametrize(("rate", "n_good"), [(0.29, 100), (0.07, 100), (0.05, 60), (0.3, 10)])
    def test_rates_that_are_whole_numbers_of_systems(self, rate, n_good):
        found = lead_time(peaked(*range(10, 10 + n_good)), [False] * n_good, rate)
        assert found.false_positives == pytest.approx(rate)

    @given(
        st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60),
        st.floats(0, 0.9),
    )
    def test_it_is_the_lowest_that_keeps_the_rate(self, rows, rate):
        peaks, bad = ([*column] for column in zip(*rows, strict=True))
        good = [peak for peak, is_bad in rows if not is_bad]
        found = lead_time([np.array([float(peak)]) for peak in peaks], bad, rate)

        def alarms(threshold):
            return sum(peak > threshold for peak in good)

        allowed = rate * len(good) + 1e-6
        lowest = min((t for t in good if alarms(t) <= allowed), default=None)
        assert found.threshold == lowest


class TestLead:
    def test_it_is_the_steps_from_the_first_alarm_to_the_end(self):
        scores = [np.array(values, dtype=float) for values in ([1, 1], [9, 0, 9, 0], [0, 0, 2])]
        found = lead_time(scores, [False, True, True])
        assert found.threshold == 1
        assert found.caught == 1
        assert found.steps == 1.5  # 3 and 0

    def test_only_those_that_are_caught_count(self):
        scores = [np.array(values, dtype=float) for values in ([1], [0] * 50, [0, 5, 0])]
        found = lead_time(scores, [False, True, True])
        assert (found.caught, found.steps) == (0.5, 1)

    def test_none_that_is_caught_has_no_lead(self):
        found = lead_time(peaked(9.0, 3.0), [False, True])
        assert (found.caught, found.steps, found.reason) == (0, None, None)

    def test_infinite_scores_are_above_every_finite_one(self):
        assert lead_time(peaked(9.0, np.inf), [False, True]).caught == 1


def test_without_good_or_bad_ones_there_is_a_reason():
    found = lead_time(peaked(1.0, 2.0), [True, True])
    assert found[:4] == (None, None, None, None)
    assert "No relaxation is good" in found.reason
    found = lead_time(peaked(1.0, 2.0), [False, False])
    assert (found.threshold, found.caught, found.steps) == (2, None, None)
    assert "No relaxation is bad" in found.reason


systems = st.lists(
    st.tuples(st.lists(st.integers(-20, 20), min_size=1, max_size=6), st.booleans()), min_size=1
)


class TestInvariance:
    @given(systems)
    def test_the_order_of_scores_alone_matters(self, rows):
        bad = [is_bad for _, is_bad in rows]
        plain, transformed = (
            lead_time([change(np.array(scores, dtype=float)) for scores, _ in rows], bad)
            for change in (lambda x: x, lambda x: x**3 + 7)
        )
        assert plain[1:] == transformed[1:]

    @given(st.data())
    def test_the_order_of_systems_is_nothing(self, data):
        rows = data.draw(systems)
        found = [
            lead_time([np.array(scores, dtype=float) for scores, _ in order], [b for _, b in order])
            for order in (rows, data.draw(st.permutations(rows)))
        ]
        assert found[0] == found[1]


class TestBadInput:
    @pytest.mark.parametrize("rate", [-0.1, 1.0])
    def test_a_rate_that_is_none(self, rate):
        with pytest.raises(ValueError, match=rf"in \[0, 1\), got {rate}"):
            lead_time(peaked(1.0), [False], rate)

    @pytest.mark.parametrize("bad", [[False], [0, 1], [None, True]])
    def test_labels_that_are_none(self, bad):
        with pytest.raises(ValueError, match="a bool for each of 2 relaxations"):
            lead_time(peaked(1.0, 2.0), bad)

    @pytest.mark.parametrize("scores", [[], [np.nan], [[1.0]]])
    def test_scores_that_are_none(self, scores):
        with pytest.raises(ValueError, match="at least one step, none NaN"):
            lead_time([np.array(scores)], [True])
