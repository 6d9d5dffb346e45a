"""Folds, with and without groups."""

import numpy as np
import pytest
from sklearn.model_selection import RepeatedKFold

from ltau.comparison import Rows
from ltau.comparison._splits import make_splits

ROWS = Rows(np.zeros((60, 1)), np.zeros(60))
GROUPED = ROWS._replace(groups=np.arange(60) // 7)


@pytest.mark.parametrize("rows", [ROWS, GROUPED])
def test_each_row_is_tested_once_and_no_group_is_on_both_sides(rows):
    splits = make_splits(4, rows, random_state=0)
    tested = np.concatenate([test for _, test in splits])
    np.testing.assert_array_equal(np.sort(tested), np.arange(60))
    for train, test in splits:
        assert len(train) + len(test) == 60
        if rows.groups is not None:
            assert not set(rows.groups[train]) & set(rows.groups[test])


def test_a_number_of_numpy_is_a_number():
    first, second = (make_splits(cv, ROWS, 0) for cv in (4, np.int64(4)))
    np.testing.assert_array_equal(first[0][1], second[0][1])


def test_another_seed_makes_other_folds():
    first, second = (make_splits(4, GROUPED, seed)[0][1] for seed in (0, 1))
    assert set(first) != set(second)


def test_splitters_and_rows_are_taken_as_they_are():
    assert len(make_splits(RepeatedKFold(n_splits=3, n_repeats=2), ROWS, 0)) == 6
    given = [(np.arange(50), np.arange(50, 60)), (np.arange(9), np.arange(9, 20))]
    for (train, test), (as_train, as_test) in zip(make_splits(given, ROWS, 0), given, strict=True):
        np.testing.assert_array_equal(train, as_train)
        np.testing.assert_array_equal(test, as_test)


@pytest.mark.parametrize(
    ("cv", "rows", "message"),
    [
        (1, ROWS, "at least 2 folds, got 1"),
        (10, GROUPED, "at least 10 groups for 10 folds, got 9"),
        ([], ROWS, "got none"),
        ([([], [0, 1])], ROWS, "got none"),
    ],
)
def test_folds_that_cannot_be_are_refused(cv, rows, message):
    with pytest.raises(ValueError, match=message):
        make_splits(cv, rows, 0)
