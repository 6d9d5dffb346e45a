"""Means with their errors, and tables of them."""

import pytest
from scipy import stats

from benchmarks.harness.tables import Mean, markdown_table


def test_a_mean_has_the_error_and_interval_of_scipy():
    values = [1.0, 2.0, 4.0, 8.0]
    mean = Mean.of(values)
    assert (mean.value, mean.error) == pytest.approx((3.75, stats.sem(values)))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean.interval() == pytest.approx(tuple(expected))


def test_sets_count_the_same_and_their_errors_add_up():
    mean = Mean.over_sets([Mean(1.0, 0.3, 5), Mean(3.0, 0.4, 5)])
    assert mean == pytest.approx((2.0, 0.25, 10))


def test_a_table_in_markdown():
    table = markdown_table(["Set", "x"], [["a", "1"]])
    assert table == "| Set | x |\n| :-- | --: |\n| a | 1 |"


def test_what_there_is_none_of_is_not_shown():
    assert Mean.of([1.0]).format() == "1.00"
    assert Mean.of([float("nan"), 1.0]).format() == "-"
    assert Mean.of([1.0, 2.0]).format(1) == "1.5 ± 0.5"
