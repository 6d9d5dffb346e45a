"""Numbers out of arrays, lists, masked arrays, data frames and tensors."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

from ltau._inputs.missing import fill_masked, find_missing
from ltau._inputs.numbers import as_real, check_positive

VALUES = [0.5, 2.0, 0.25]

NUMBERS = {
    "list": VALUES,
    "half precision": np.array(VALUES, np.float16),
    "long double": np.array(VALUES, np.longdouble),
    "objects": np.array(VALUES, object),
    "objects that are numpy's": np.array(list(map(np.float32, VALUES)), object),
    "decimals": list(map(Decimal, VALUES)),
    "fractions": list(map(Fraction, VALUES)),
    "column": pd.Series(VALUES, index=[2, 0, 1]),
    "nullable column": pd.Series(VALUES, dtype="Float64"),
    "masked array that hides nothing": np.ma.array(VALUES),
    "tensor": torch.tensor(VALUES),
}

WITH_NAN_IN_THE_MIDDLE = {
    "NaN": [0.5, np.nan, 0.25],
    "None": [0.5, None, 0.25],
    "NA": np.array([0.5, pd.NA, 0.25], object),
    "nullable column": pd.Series([0.5, pd.NA, 0.25], dtype="Float64"),
    "decimal": [Decimal("0.5"), Decimal("NaN"), Decimal("0.25")],
    "masked": np.ma.masked_array([0.5, 99.0, 0.25], [False, True, False]),
    "masked objects": np.ma.masked_array([0.5, "x", 0.25], [False, True, False], object),
}

OTHERS = {
    "text": (["0.5", "2"], "got <U3"),
    "numbers and text": ([0.5, "2"], "got <U32"),
    "text in a column": (pd.Series(["0.5", "2"]), "got str"),
    "text among objects": (np.array([0.5, "2"], object), "got str"),
    "bytes among objects": (np.array([b"0.5", b"2"], object), "got bytes"),
    "masked text": (np.ma.array(["0.5", "2"]), "got <U3"),
    "complex": ([0.5j, 2], "got complex128"),
    "complex objects": (np.array([0.5j, 2], object), "got complex"),
    "masked complex": (np.ma.array([0.5j, 2]), "got complex128"),
    "dates": (np.array(["2026-01-01"], "M8[D]"), "got datetime64"),
    "spans": (np.array([1, 2], "m8[s]"), "got timedelta64"),
    "spans among objects": (np.array([np.timedelta64(1, "s"), 2], object), "got timedelta64"),
    "dates out of a frame": (np.array([pd.Timestamp(0), None], object), "got Timestamp"),
    "more than float64 holds": (np.array([10**400, 1], object), "finite in float64"),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_are_taken_by_their_place(kind):
    array = as_real(NUMBERS[kind], "errors")
    assert array.dtype.kind == "f"
    np.testing.assert_array_equal(array, VALUES)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, object])
def test_integers_and_bools_are_numbers(dtype):
    np.testing.assert_array_equal(as_real(np.array([1, 0], dtype), "errors"), [1, 0])


def test_an_array_of_numbers_is_not_copied():
    array = np.ones((3, 2), np.float32)
    assert as_real(array, "errors") is array


@pytest.mark.parametrize("kind", WITH_NAN_IN_THE_MIDDLE)
def test_what_is_missing_or_masked_is_nan(kind):
    np.testing.assert_array_equal(
        as_real(WITH_NAN_IN_THE_MIDDLE[kind], "errors"), [0.5, np.nan, 0.25]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_a_mask_is_filled_in_whatever_dtype(dtype):
    masked = np.ma.masked_array(np.ones((2, 2), dtype), [[False, True], [False, False]])
    np.testing.assert_array_equal(as_real(masked, "errors"), [[1, np.nan], [1, 1]])


def test_what_is_not_masked_stays_what_it_is():
    frame = pd.DataFrame({"x": VALUES})
    assert fill_masked(frame) is frame


@pytest.mark.parametrize("kind", OTHERS)
def test_what_are_no_real_numbers_is_named(kind):
    values, message = OTHERS[kind]
    with pytest.raises(ValueError, match=f"Expected errors that are .*{message}"):
        as_real(values, "errors")


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.0, np.nan, -np.inf]),
        np.array([1.0, complex(0, np.nan), 2.0]),
        np.array([1, "NaT", 3], "m8[s]"),
        np.array([1, 2, 3]),
        np.array(["nan", "", "None"]),
        np.array([None, pd.NA, pd.NaT], object),
        np.array(["nan", np.nan, Decimal("NaN")], object),
        np.array([[np.datetime64("NaT"), np.float32("nan")], ["a", 2]], object),
    ],
)
def test_the_same_is_missing_as_in_pandas(array):
    np.testing.assert_array_equal(find_missing(array), pd.isna(array))


@pytest.mark.parametrize("value", [3, 0.5, np.float32(0.5), np.int64(3)])
def test_a_positive_number(value):
    found = check_positive(value, "cutoff")
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "3", None, True])
def test_no_positive_number(value):
    with pytest.raises(ValueError, match=f"positive, finite cutoff, got {value!r}"):
        check_positive(value, "cutoff")
