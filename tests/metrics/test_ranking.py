import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from ltau.metrics import UndefinedMetricError, auprc, auroc, base_rate, spearman

# Few different values, so that ties are common.
pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30)
labelled = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=30)


def split(rows):
    """Columns of the rows; both must vary for the metric to be defined."""
    first, second = np.array(rows, dtype=float).T
    assume(np.ptp(first) > 0)
    return first, second


def test_spearman_is_the_correlation_of_average_ranks(rng):
    errors, predicted = rng.integers(0, 5, size=(2, 50))
    expected = np.corrcoef(stats.rankdata(errors), stats.rankdata(predicted))[0, 1]
    assert spearman(errors, predicted) == pytest.approx(expected)


@given(pairs)
@settings(deadline=None)
def test_spearman_invariants(rows):
    errors, predicted = split(rows)
    assume(np.ptp(predicted) > 0)
    value = spearman(errors, predicted)
    assert abs(value) <= 1 + 1e-12
    assert spearman(errors[::-1], predicted[::-1]) == pytest.approx(value)
    assert spearman(np.exp(errors), predicted**3) == pytest.approx(value)
    assert spearman(errors, -predicted) == pytest.approx(-value)


@given(labelled)
@settings(deadline=None)
def test_auroc_is_the_share_of_pairs_in_order(rows):
    positive, score = split(rows)
    difference = score[positive == 1][:, None] - score[positive == 0]
    expected = np.mean((difference > 0) + 0.5 * (difference == 0))
    assert auroc(positive, score) == pytest.approx(expected)
    assert auroc(positive, np.exp(score)) == pytest.approx(expected)
    assert auroc(positive, -score) == pytest.approx(1 - expected)


@given(labelled)
@settings(deadline=None)
def test_auprc_sums_precision_over_steps_of_recall(rows):
    positive, score = split(rows)
    expected, recall_before = 0.0, 0.0
    for threshold in np.unique(score)[::-1]:
        found = positive[score >= threshold]
        recall = found.sum() / positive.sum()
        expected += (recall - recall_before) * found.mean()
        recall_before = recall
    assert auprc(positive, score) == pytest.approx(expected)
    assert auprc(positive, np.exp(score)) == pytest.approx(expected)


def test_auprc_of_a_constant_score_is_the_base_rate():
    positive = [True, False, False, True, False]
    assert auprc(positive, np.zeros(5)) == base_rate(positive) == 0.4


def test_base_rate_of_one_class():
    assert base_rate([0, 0]) == 0.0
    assert base_rate([1, 1]) == 1.0


@pytest.mark.parametrize("metric", [auroc, auprc])
@pytest.mark.parametrize("positive", [True, False])
def test_one_class_is_undefined(metric, positive):
    with pytest.raises(UndefinedMetricError, match=f"both classes .* only {positive}"):
        metric([positive] * 3, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("metric", [auroc, auprc])
@pytest.mark.parametrize(
    ("positive", "score", "message"),
    [
        ([0, 1, 2], [0.1, 0.2, 0.3], "positive to be bool, or 0 and 1"),
        ([0, 1, 1], [0.1, 0.2], "one length, got positive: 3, score: 2"),
        ([0, 1, 1], [0.1, np.nan, np.inf], "score without NaN values, got 1 in 3"),
        ([], [], "at least one value in positive"),
    ],
)
def test_refuses(metric, positive, score, message):
    with pytest.raises(ValueError, match=message):
        metric(positive, score)


def test_correlation_with_a_constant_is_undefined():
    with pytest.raises(UndefinedMetricError, match="predicted that differ, got only 5"):
        spearman([0.1, 0.2], [5.0, 5.0])
    with pytest.raises(UndefinedMetricError, match=r"errors that differ, got only 0\.1"):
        spearman([0.1, 0.1], [4.0, 5.0])


def test_infinite_scores_rank_as_the_largest():
    errors, labels = [0.1, 0.4, 0.3, 0.5], [False, True, False, True]
    finite, infinite = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, np.inf]
    assert spearman(errors, infinite) == spearman(errors, finite)
    assert auroc(labels, infinite) == auroc(labels, finite)
    assert auprc(labels, infinite) == auprc(labels, finite)
