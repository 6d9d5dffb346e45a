"""Features of tables: numbers, categories, and what is refused."""

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from ltau.comparison._table import as_table, as_target


def test_categories_are_encoded_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    columns = {"size": rng.normal(size=50), "town": rng.choice(["Oslo", "Rome", "Lima"], 50)}
    columns["new"] = rng.choice(["yes", "no"], 50)
    text = np.column_stack([columns["town"], columns["new"]])
    encoder = OneHotEncoder(drop="if_binary", sparse_output=False)
    expected = np.column_stack([columns["size"], encoder.fit_transform(text)])
    np.testing.assert_array_equal(as_table(columns).encode(), expected)


def test_a_frame_an_array_and_a_mapping_are_the_same_table():
    pd = pytest.importorskip("pandas")
    columns = {"a": [1.5, 2.5, 3.5], "b": ["x", "y", "x"], "c": [True, False, True]}
    expected = as_table({name: np.array(values) for name, values in columns.items()}).encode()
    frame = pd.DataFrame(columns)
    np.testing.assert_array_equal(as_table(frame).encode(), expected)
    np.testing.assert_array_equal(as_table(frame.astype({"b": "category"})).encode(), expected)
    np.testing.assert_array_equal(as_table(frame.to_numpy()).encode(), expected)


def test_numbers_can_be_categories():
    X = np.array([[1, 0.5], [3, 0.5], [2, 0.1]])
    np.testing.assert_array_equal(
        as_table(X, categorical=[0]).encode(),
        [[1, 0, 0, 0.5], [0, 0, 1, 0.5], [0, 1, 0, 0.1]],
    )


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": np.array([1.0, np.nan])}, "column 'a' without missing values, got 1 missing of 2"),
        ({"a": np.array(["x", None], object)}, "column 'a' without missing values"),
        ({"a": np.array([1.0, np.inf])}, "column 'a' to be finite"),
        (
            {"a": np.array([*map(str, range(150)), "oops"])},
            "of at most 100 categories, got 151 different values, such as 'oops'",
        ),
        ({}, "at least one column"),
        ({"a": np.zeros(3), "b": np.zeros(4)}, "columns of one value for each row"),
        ({"a": np.zeros((3, 2))}, "columns of one value for each row"),
        (np.arange(5), r"shape \(n_samples, n_columns\), got \(5,\)"),
    ],
)
def test_features_that_cannot_be_used_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        as_table(X)


def test_a_category_must_be_a_column():
    with pytest.raises(ValueError, match=r"categorical columns of \['a'\], got \['b'\]"):
        as_table({"a": np.arange(3.0)}, categorical=["b"])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["1.5", "dear", "2"], "numbers, got 'dear'"),
        ([1.0, np.nan, 2.0], "without missing values, got 1 missing"),
        ([1.0, np.inf, 2.0], "finite"),
        ([1.0, 2.0], r"shape \(3,\), got \(2,\)"),
        ([2.0, 2.0, 2.0], "a target that varies, got 2 in every row"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        as_target(y, 3)
