"""Labels of every kind that comes in: out of arrays, lists and data frames."""

import datetime

import numpy as np
import pandas as pd
import pytest

from ltau import LTAUEstimator
from ltau._inputs.labels import (
    as_labels,
    check_groups,
    check_size,
    check_strata,
    check_strata_given,
    refuse_unseen,
)
from ltau.metrics import coverage, coverage_by_group, spearman

STRINGS = ["H", "O", "H", "C"]
INTEGERS = [1, 8, 1, 6]
BOOLS = [True, False, True, True]

KINDS = {
    "list": (STRINGS, STRINGS),
    "array of numpy's strings": (np.array(STRINGS), STRINGS),
    "array of strings of variable width": (np.array(STRINGS, np.dtypes.StringDType()), STRINGS),
    "objects that are strings": (np.array(STRINGS, object), STRINGS),
    "objects that are numpy's strings": (np.array(list(map(np.str_, STRINGS)), object), STRINGS),
    "column of strings": (pd.Series(STRINGS, index=[3, 2, 1, 0]), STRINGS),
    "column of nullable strings": (pd.Series(STRINGS, dtype="string"), STRINGS),
    "column of objects": (pd.Series(STRINGS, dtype=object), STRINGS),
    "categories": (pd.Categorical(STRINGS, categories=["O", "C", "H", "Fe"]), STRINGS),
    "list of integers": (INTEGERS, INTEGERS),
    "tuple of numpy's integers": (tuple(map(np.int8, INTEGERS)), INTEGERS),
    "unsigned integers": (np.array(INTEGERS, np.uint8), INTEGERS),
    "objects that are integers": (np.array(INTEGERS, object), INTEGERS),
    "objects that are numpy's integers": (
        np.array(list(map(np.int64, INTEGERS)), object),
        INTEGERS,
    ),
    "column of nullable integers": (pd.Series(INTEGERS, dtype="Int64"), INTEGERS),
    "categories that are integers": (pd.Categorical(INTEGERS), INTEGERS),
    "masked array that hides nothing": (np.ma.array(INTEGERS), INTEGERS),
    "bools": (np.array(BOOLS), BOOLS),
    "objects that are bools": (np.array(BOOLS, object), BOOLS),
    "objects that are bools of both kinds": (np.array([True, *map(np.bool_, BOOLS[1:])]), BOOLS),
    "column of nullable bools": (pd.Series(BOOLS, dtype="boolean"), BOOLS),
}

MISSING = {
    "None in a list": ["H", "O", None, "C"],
    "NaN in a list of strings": ["H", "O", np.nan, "C"],
    "None in an array": np.array(["H", "O", None, "C"], object),
    "NaN in an array": np.array([1, 8, np.nan, 6]),
    "NA in a column of strings": pd.Series(["H", "O", pd.NA, "C"], dtype="string"),
    "NaN in a column": pd.Series(["H", "O", np.nan, "C"]),
    "NA in a column of integers": pd.Series([1, 8, pd.NA, 6], dtype="Int64"),
    "NA among objects": np.array([1, 8, pd.NA, 6], object),
    "NaT": np.array(["2026-01-01", "2026-01-02", "NaT", "2026-01-02"], "M8[D]"),
    "NaT among objects": np.array(
        [pd.Timestamp(0), pd.NaT, pd.Timestamp(0), pd.Timestamp(1)], object
    ),
    "no category": pd.Categorical(["H", "O", None, "C"]),
    "masked": np.ma.masked_array(INTEGERS, [False, False, True, False]),
    "masked strings": np.ma.masked_array(STRINGS, [False, False, True, False]),
}

OTHERS = {
    "integers and strings": ([1, "H", 1, 6], "all of one kind, got int, str"),
    "integers and bools": ([1, True, 1, 6], "all of one kind, got bool, int"),
    "integers and floats": ([1, 8.0, 1, 6], "all of one kind, got float, int"),
    "column": (
        np.array(INTEGERS)[:, None],
        r"1-D, got shape \(4, 1\). Pass the column as .* \(4,\)",
    ),
    "frame": (
        pd.DataFrame({"z": STRINGS}),
        r"1-D, got shape \(4, 1\). Pass the column as .* \(4,\)",
    ),
    "row": ([INTEGERS], r"1-D, got shape \(1, 4\)\.$"),
    "single label": ("H", r"1-D, got shape \(\)"),
}

# A metric draws groups of anything that sorts; an estimator keeps labels in a file.
FOR_METRICS_ALONE = {
    "floats": ([1.0, 8.0, 1.0, 6.0], r"float64: whole numbers become integers with astype\(int\)"),
    "bytes": (np.array(STRINGS, "S"), r"\|S1: decode them"),
    "bytes out of a frame": (np.array([b"H", b"O", b"H", b"C"], object), "objects of type bytes"),
    "dates": (np.array(["2026-01-01", "2026-01-02"] * 2, "M8[D]"), r"datetime64\[D\]"),
    "dates of Python": (list(map(datetime.date.fromordinal, (1, 2, 1, 3))), "objects of type date"),
    "integers beyond 64 bits": ([1, 2**70, 1, 6], "objects of type int"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("check", [check_strata, check_groups])
def test_labels_of_one_kind_are_taken(kind, check):
    labels, expected = KINDS[kind]
    checked = check(labels, 4)
    assert checked.dtype.kind in "iuUb"
    assert checked.tolist() == expected


def test_no_labels_are_none():
    assert check_strata(None, 4) is None
    assert check_groups(None, 4) is None


@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize(
    "take",
    [
        lambda labels: check_strata(labels, 4),
        lambda labels: as_labels(labels, "strata"),
    ],
)
def test_missing_labels_are_counted(kind, take):
    with pytest.raises(
        ValueError, match="strata with a label for every sample, got 1 missing in 4"
    ):
        take(MISSING[kind])


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize(
    ("name", "take"),
    [
        ("strata", lambda labels: check_strata(labels, 4)),
        ("groups", lambda labels: check_groups(labels, 4)),
        ("groups", lambda labels: spearman([1, 2, 3, 4], [1, 3, 2, 4], groups=labels)),
        ("groups", lambda labels: coverage_by_group([1, 2, 3, 4], labels, upper=[1, 3, 2, 4])),
    ],
)
def test_what_are_no_labels_is_named(kind, name, take):
    labels, message = OTHERS[kind]
    with pytest.raises(ValueError, match=f"Expected {name} .*{message}"):
        take(labels)


@pytest.mark.parametrize("kind", FOR_METRICS_ALONE)
def test_strata_are_integers_or_strings(kind):
    labels, message = FOR_METRICS_ALONE[kind]
    with pytest.raises(ValueError, match=f"strata that are integers or strings, got {message}"):
        check_strata(labels, 4)


@pytest.mark.parametrize("kind", KINDS | FOR_METRICS_ALONE)
def test_metrics_take_groups_of_anything_that_sorts(kind):
    labels = (KINDS | FOR_METRICS_ALONE)[kind][0]
    codes = pd.factorize(np.asarray(labels))[0]  # by another library
    by_label = coverage_by_group([1, 2, 3, 4], labels, upper=[1, 1, 3, 3])
    by_code = coverage_by_group([1, 2, 3, 4], codes, upper=[1, 1, 3, 3])
    assert sorted(by_label.values()) == sorted(by_code.values())
    share = coverage([1, 2, 3, 4], upper=[1, 1, 3, 3], groups=labels)
    assert 0 <= share.low <= share <= share.high <= 1
    assert not any(isinstance(label, np.generic) for label in by_label)


@pytest.mark.parametrize("kind", MISSING)
def test_metrics_refuse_a_group_that_is_missing(kind):
    message = "groups with a label for every sample, got 1 missing in 4"
    with pytest.raises(ValueError, match=message):
        coverage_by_group([1, 2, 3, 4], MISSING[kind], upper=[1, 1, 3, 3])
    with pytest.raises(ValueError, match=message):
        spearman([1, 2, 3, 4], [1, 3, 2, 4], groups=MISSING[kind])


@pytest.mark.parametrize("labels", [STRINGS[:3], [], np.array([], int)])
def test_a_label_for_each_sample(labels):
    with pytest.raises(ValueError, match=rf"strata of shape \(4,\), got \({len(labels)},\)"):
        check_strata(labels, 4)


@pytest.mark.parametrize(
    ("given", "at_fit", "how"), [(True, False, "without"), (False, True, "with")]
)
def test_strata_are_given_as_at_fit(given, at_fit, how):
    with pytest.raises(
        ValueError, match=f"The estimator was fitted {how} strata: predict likewise"
    ):
        check_strata_given(given, at_fit)
    check_strata_given(at_fit, at_fit)


@pytest.mark.parametrize(
    ("asked", "seen", "message"),
    [
        ([1, 7], [1, 6], "Stratum 7 was not seen at fit, which saw 1, 6"),
        (np.array(["Fe", "H"]), np.array(["H", "O"]), "Stratum Fe was not seen at fit, .* H, O"),
        (["1"], [1, 6], "Expected strata that are integers, as at fit, got strings"),
        ([1], np.array(["1", "6"]), "Expected strata that are strings, as at fit, got integers"),
        ([np.True_, np.False_], [1, 6], "Stratum False was not seen"),  # True is 1
    ],
)
def test_unseen_strata_are_named(asked, seen, message):
    with pytest.raises(ValueError, match=message):
        refuse_unseen(asked, seen)


def test_small_strata_are_named():
    check_size(3, 3, "H")
    with pytest.raises(ValueError, match=r"n_neighbors = 3 training samples, got n_samples = 2\."):
        check_size(2, 3, None)
    message = r"n_neighbors = 3 prototypes in stratum H, got n_samples = 2\."
    with pytest.raises(ValueError, match=message):
        check_size(2, 3, "H", "prototypes")


@pytest.fixture(scope="module")
def fitted():
    """Estimators with strata of either kind, and latents to ask them about."""
    rng = np.random.default_rng(0)
    latents, errors = rng.normal(size=(60, 3)), rng.random((60, 6))
    codes = np.arange(60) % 2
    settings = {"n_neighbors": 5, "index": "flat"}
    of_integers = LTAUEstimator(**settings).fit(latents, errors, codes)
    of_strings = LTAUEstimator(**settings).fit(latents, errors, codes.astype(str))
    return latents[:4], of_integers, of_strings


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([0, 1, 1, 0], dtype="Int64"),
        pd.Categorical([0, 1, 1, 0]),
        np.array([0, 1, 1, 0], object),
        [False, True, True, False],
    ],
)
def test_strata_of_another_container_predict_the_same(fitted, labels):
    latents, of_integers, of_strings = fitted
    expected = of_strings.predict(latents, ["0", "1", "1", "0"])
    np.testing.assert_array_equal(of_integers.predict(latents, labels), expected)


def test_strata_of_another_kind_than_at_fit_are_refused(fitted):
    latents, of_integers, of_strings = fitted
    with pytest.raises(ValueError, match="strata that are integers, as at fit, got strings"):
        of_integers.predict(latents, ["0", "1", "1", "0"])
    with pytest.raises(ValueError, match="strata that are strings, as at fit, got integers"):
        of_strings.predict(latents, [0, 1, 1, 0])


def test_groups_of_another_kind_than_at_calibration_are_refused(fitted):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(60, 3))
    estimator = LTAUEstimator(index="flat").fit(latents, rng.random((60, 6)))
    estimator.calibrate(latents, rng.random(60), groups=np.arange(60) % 2)
    with pytest.raises(ValueError, match=r"groups that are integers, .* got strings"):
        estimator.predict_quantile(latents[:1], 0.5, groups=["1"])
