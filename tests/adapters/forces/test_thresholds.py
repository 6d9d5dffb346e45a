"""When a threshold counts as passed."""

import pytest

pytest.importorskip("ase")

from ltau.adapters._forces.thresholds import Thresholds


def passed_in(values, **options):
    """The steps in which the threshold 1 of one number is passed."""
    thresholds = Thresholds({"a": 1.0}, **options)
    return [step for step, value in enumerate(values) if thresholds.passed({"a": value})]


@pytest.mark.parametrize(
    ("patience", "values", "steps"),
    [
        (1, [0.5, 1.0, 1.5, 0.5, 2.0], [2, 4]),  # 1.0 is not above
        (2, [1.5, 0.5, 1.5, 1.5, 0.5], [3]),
        (2, [1.5, 1.5, 1.5, 1.5, 1.5], [1, 3]),  # the count starts again
        (2, [1.5, None, 1.5, None, 1.5], [2]),  # a step without the number does not interrupt
        (1, [None, float("inf")], [1]),
        (2, [1.5, float("nan"), 0.5, float("nan")], [1]),  # nothing is known
        (3, [1.5, 1.5, 0.5, 1.5, 1.5], []),
    ],
)
def test_it_is_passed_after_so_many_steps_in_a_row(patience, values, steps):
    assert passed_in(values, patience=patience) == steps


def test_each_number_is_counted_by_itself():
    thresholds = Thresholds({"a": 1.0, "b": 2.0, "c": None}, patience=2)
    assert thresholds.passed({"a": 1.5, "b": 1.5, "c": 9.0}) is None
    assert thresholds.passed({"a": 0.5, "b": 2.5, "c": 9.0}) is None
    assert thresholds.passed({"a": 1.5, "b": 2.5, "c": 9.0}) == "b = 2.5 > 2 for 2 steps in a row"


def test_all_that_were_passed_are_named():
    thresholds = Thresholds({"a": 1.0, "b": 2.0}, patience=1)
    assert thresholds.passed({"a": 1.25, "b": 3.0}) == "a = 1.25 > 1 and b = 3 > 2"


def test_what_is_not_known_is_said_to_be():
    thresholds = Thresholds({"a": 1.0}, patience=1)
    assert thresholds.passed({"a": float("nan")}) == "a = nan is not within 1"


@pytest.mark.parametrize(
    ("limits", "patience", "message"),
    [
        ({"a": 0.0}, 1, "positive, finite limit of a, got 0.0"),
        ({"a": float("nan")}, 1, "positive, finite limit of a, got nan"),
        ({"a": "1"}, 1, "positive, finite limit of a, got '1'"),
        ({"probability": 1.0}, 1, "limit of probability below 1, got 1.0"),
        ({}, 0, "patience to be an integer >= 1, got 0"),
        ({}, 1.0, "patience to be an integer >= 1, got 1.0"),
    ],
)
def test_limits_out_of_range_are_refused(limits, patience, message):
    with pytest.raises(ValueError, match=message):
        Thresholds(limits, patience)
