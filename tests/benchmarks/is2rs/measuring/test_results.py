"""Numbers of the report, against those computed from the systems one by one."""

from dataclasses import replace

import numpy as np
import pytest

for module in ("ase", "joblib", "nequip"):
    pytest.importorskip(module)

from scipy import stats  # noqa: E402
from sklearn.metrics import average_precision_score, roc_auc_score  # noqa: E402

from benchmarks.is2rs.measuring.results import ALL, measure_all, parts  # noqa: E402
from benchmarks.is2rs.measuring.scores import scores  # noqa: E402


@pytest.fixture(scope="module")
def relaxed(relax):
    return relax(18)


@pytest.fixture(scope="module")
def measured(relaxed):
    return measure_all(relaxed, n_resamples=20)


def test_parts_are_all_systems_and_each_split_in_order(relaxed):
    found = parts(relaxed)
    assert list(found) == [ALL, "val_id", "val_ood_ads", "val_ood_cat"]
    assert [len(part) for part in found.values()] == [18, 6, 6, 6]
    assert list(parts(found["val_id"])) == [ALL]


def test_means_and_rates_are_those_of_the_systems(relaxed, measured):
    part = measured["parts"]["val_id"]
    judged = [each.judgement for each in relaxed if each.system.split == "val_id"]
    assert part["ends"]["distance"].value == pytest.approx(np.mean([j.distance for j in judged]))
    for label, rate in part["rates"].items():
        assert rate.value == pytest.approx(np.mean([j.labels[label] for j in judged]))
        assert rate.low <= rate.value <= rate.high
    final = np.array([e.final_force for e in relaxed if e.system.split == "val_id"])
    share = np.mean([(final < limit / 1000).mean() for limit in range(10, 400)])
    assert part["ends"]["AFbT"].value == pytest.approx(share)


def test_areas_of_all_scores_are_those_of_scikit_learn(relaxed, measured):
    bad = [each.judgement.labels["L2 0.3"] for each in relaxed]
    found = measured["parts"][ALL]
    for name, areas in found["areas"]["L2 0.3"].items():
        column = [scores(each.path)[name] for each in relaxed]
        assert areas["auroc"] == pytest.approx(roc_auc_score(bad, column))
        assert areas["auprc"] == pytest.approx(average_precision_score(bad, column))
    one = found["detection"]["L2 0.3"]["OOD score"]
    assert one.auroc.value == found["areas"]["L2 0.3"]["OOD score, max step, mean atom"]["auroc"]


def test_a_label_of_one_class_has_no_number(measured):
    found = measured["parts"][ALL]
    assert found["rates"]["L4 desorbed"].value == 0
    assert found["areas"]["L4 desorbed"] is None
    for detection in found["detection"]["L4 desorbed"].values():
        assert detection.auroc.value is None
        assert detection.auroc.reason


def test_ranks_of_relaxations_are_those_of_scipy(relaxed, measured):
    distances = [each.judgement.distance for each in relaxed]
    column = [scores(each.path)["expected error, max step, mean atom"] for each in relaxed]
    found = measured["parts"][ALL]["ranking"]["distance"]
    expected = stats.spearmanr(distances, column).statistic
    assert found["expected error"].value == pytest.approx(expected)
    assert found["constant"].value is None


def test_scale_and_cost_are_ratios_of_sums(relaxed, measured):
    surface = [each.path.tags > 0 for each in relaxed]
    true = sum(e.path.true_error[:, a].mean(1).sum() for e, a in zip(relaxed, surface, strict=True))
    said = sum(
        e.path.expected_error[:, a].mean(1).sum() for e, a in zip(relaxed, surface, strict=True)
    )
    assert measured["parts"][ALL]["ranking"]["scale"].value == pytest.approx(true / said)
    seconds = sum(each.step_seconds for each in relaxed)
    assert measured["cost"].value == pytest.approx(seconds / (18 * 0.015))


def test_without_true_forces_what_needs_them_is_missing_and_the_rest_is_there(relax):
    unknown = [replace(each, reference=None) for each in relax(6, true_forces=False)]
    part = measure_all(unknown, n_resamples=5)["parts"][ALL]
    assert part["ends"]["AFbT"].value is None
    assert part["ends"]["force error"].value is None
    assert part["ranking"]["steps"] == part["ranking"]["atoms"] == {}
    assert part["ranking"]["scale"].reason
    assert part["ends"]["ADwT"].value is not None
