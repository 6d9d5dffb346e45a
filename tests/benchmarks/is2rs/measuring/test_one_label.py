"""Early warnings, what is set aside, and alarms."""

from dataclasses import replace

import numpy as np
import pytest

for module in ("ase", "joblib", "nequip"):
    pytest.importorskip(module)

from sklearn.metrics import roc_auc_score  # noqa: E402

from benchmarks.is2rs.measuring.one_label import FIRST, main_label, measure_label  # noqa: E402
from benchmarks.is2rs.measuring.scores import scores  # noqa: E402

LABEL = "L2 0.3"


def relabel(relaxed, label, value):
    """Give a label of all systems the same value."""
    return [
        replace(
            each,
            judgement=replace(each.judgement, labels=each.judgement.labels | {label: value}),
        )
        for each in relaxed
    ]


@pytest.fixture(scope="module")
def relaxed(relax):
    return relax(20, n_steps=8)


@pytest.fixture(scope="module")
def measured(relaxed):
    return measure_label(relaxed, LABEL, n_resamples=20)


def test_the_main_label_is_the_first_that_some_have_and_some_have_not(relaxed):
    assert main_label(relaxed) == LABEL
    assert main_label(relabel(relaxed, LABEL, False)) == "L2 0.1"
    alike = [replace(each, judgement=relaxed[0].judgement) for each in relaxed]
    assert main_label(alike) is None


def test_early_warnings_look_at_no_more_than_the_first_steps(relaxed, measured):
    bad = [each.judgement.labels[LABEL] for each in relaxed]
    assert tuple(measured["early warning"]) == FIRST
    for first, found in measured["early warning"].items():
        column = [each.path.ood_score[:first, each.path.tags > 0].mean(1).max() for each in relaxed]
        assert found["OOD score"].auroc.value == pytest.approx(roc_auc_score(bad, column))
    assert measured["early warning"][1]["displacement"].auroc.value == 0.5


def test_bad_ones_among_four_fifths_are_counted(relaxed, measured):
    name = "expected error, max step, mean atom"
    order = np.argsort([scores(each.path)[name] for each in relaxed])
    kept = [relaxed[i].judgement.labels[LABEL] for i in order[:16]]
    assert measured["risk-coverage"]["expected error"]["kept"].value == np.mean(kept)


def test_alarms_that_catch_none_have_no_steps_left(relaxed, measured):
    assert measured["lead time"]["constant"]["caught"].value == 0
    assert measured["lead time"]["constant"]["steps"].value is None
    assert measured["lead time"]["constant"]["steps"].reason
    good = [each for each in relaxed if not each.judgement.labels[LABEL]]
    highest = max(each.path.ood_score[:, each.path.tags > 0].mean(1).max() for each in good)
    assert measured["lead time"]["OOD score"]["threshold"] == pytest.approx(highest)


def test_systems_whose_label_is_unknown_are_left_out(relaxed, measured):
    unknown = relabel(relaxed[:1], LABEL, None)
    found = measure_label([*unknown, *relaxed[1:]], LABEL, n_resamples=5)
    again = measure_label(relaxed[1:], LABEL, n_resamples=5)
    assert found["lead time"] == again["lead time"]
    assert found["early warning"] == again["early warning"]
