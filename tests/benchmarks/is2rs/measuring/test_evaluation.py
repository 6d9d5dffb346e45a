"""Measures of scores, against scikit-learn, SciPy and pairs counted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.is2rs.measuring.evaluation import evaluate, rank, risk_coverage

N = 40


@pytest.fixture
def case():
    """Scores with ties, labels of both classes, true errors, and four systems a cluster."""
    rng = np.random.default_rng(0)
    truth = rng.exponential(size=N)
    score = (truth + rng.exponential(size=N)).round(1)
    return score, list(truth > 1), truth, np.repeat([f"cluster {n}" for n in range(N // 4)], 4)


class TestEvaluate:
    def test_it_agrees_with_scikit_learn(self, case):
        score, bad, _, clusters = case
        found = evaluate(score, bad, clusters)
        assert found.auroc.value == pytest.approx(roc_auc_score(bad, score))
        assert found.auprc.value == pytest.approx(average_precision_score(bad, score))
        assert found.base_rate == pytest.approx(sum(bad) / N)
        assert found.n == N
        for measured in found[:2]:
            assert measured.low < measured.value < measured.high
            assert measured.reason is None

    def test_the_area_is_the_chance_that_a_bad_one_scores_higher(self, case):
        score, bad, _, clusters = case
        pairs = [
            (score[i] > score[j]) + (score[i] == score[j]) / 2
            for i in range(N)
            for j in range(N)
            if bad[i] and not bad[j]
        ]
        assert evaluate(score, bad, clusters).auroc.value == pytest.approx(np.mean(pairs))

    def test_copies_in_a_cluster_make_no_interval_narrower(self, case):
        score, bad, _, clusters = case
        rows = np.repeat(np.arange(N), 8)
        copies = (score[rows], [bad[row] for row in rows])
        once = evaluate(score, bad, clusters).auroc
        assert evaluate(*copies, clusters[rows]).auroc == pytest.approx((*once[:3], None))
        alone = evaluate(*copies, np.arange(len(rows))).auroc
        assert alone.high - alone.low < 0.6 * (once.high - once.low)

    def test_the_seed_decides(self, case):
        score, bad, _, clusters = case
        first, again, other = (evaluate(score, bad, clusters, seed=seed) for seed in (0, 0, 1))
        assert first == again != other

    def test_a_constant_says_nothing(self, case):
        _, bad, _, clusters = case
        found = evaluate(np.zeros(N), bad, clusters)
        assert found.auroc[:3] == (0.5, 0.5, 0.5)
        assert found.auprc.value == pytest.approx(found.base_rate)

    @pytest.mark.parametrize("label", [True, False])
    def test_one_class_has_no_number(self, case, label):
        score, _, _, clusters = case
        found = evaluate(score, [label] * N, clusters)
        for measured in (found.auroc, found.auprc):
            assert measured[:3] == (None, None, None)
            assert f"got only {'bad' if label else 'good'} ones" in measured.reason
        assert found.base_rate == label

    def test_unknown_labels_are_left_out(self, case):
        score, bad, _, clusters = case
        some = [None if n % 3 == 0 else value for n, value in enumerate(bad)]
        known = [n for n in range(N) if n % 3]
        expected = evaluate(score[known], [bad[n] for n in known], clusters[known])
        assert evaluate(score, some, clusters) == expected
        assert expected.n == len(known)

    def test_no_label_known_has_no_number(self, case):
        score, _, _, clusters = case
        found = evaluate(score, [None] * N, clusters)
        assert found.auroc == (None, None, None, "The truth is unknown of all.")
        assert (found.base_rate, found.n) == (None, 0)

    def test_one_cluster_has_no_interval(self, case):
        score, bad, _, _ = case
        found = evaluate(score, bad, ["the same"] * N).auroc
        assert found.value == pytest.approx(roc_auc_score(bad, score))
        assert found[1:] == (None, None, "No interval: all are of one cluster.")

    def test_where_a_class_is_mostly_missing_there_is_no_interval(self):
        # Of two clusters, one of each class, half of the resamples hold but one.
        score, bad, clusters = [0.0, 1.0], [False, True], ["good", "bad"]
        seed = next(
            s for s in range(100) if len(set(np.random.default_rng(s).integers(2, size=2))) < 2
        )
        found = evaluate(score, bad, clusters, n_resamples=1, seed=seed).auroc
        assert found[:3] == (1.0, None, None)
        assert found.reason.startswith("No interval: ")
        assert "0 of 1" in found.reason

    def test_resamples_of_one_class_are_left_out(self):
        # One bad relaxation of five: a third of the resamples have none.
        found = evaluate([0, 1, 2, 3, 4], [False] * 4 + [True], list("abcde"))
        assert found.auroc == (1.0, 1.0, 1.0, None)

    def test_infinite_scores_are_the_highest(self, case):
        _, bad, _, clusters = case
        score = np.where(bad, np.inf, 1.0)
        assert evaluate(score, bad, clusters).auroc.value == 1

    def test_bad_input(self, case):
        score, bad, _, clusters = case
        with pytest.raises(ValueError, match="one length, got shapes"):
            evaluate(score, bad[1:], clusters)
        with pytest.raises(ValueError, match="without NaN"):
            evaluate([np.nan, *score[1:]], bad, clusters)


class TestRank:
    def test_it_agrees_with_scipy(self, case):
        score, _, truth, clusters = case
        found = rank(score, truth, clusters)
        assert found.value == pytest.approx(spearmanr(score, truth).statistic)
        assert found.low < found.value < found.high

    def test_unknown_errors_are_left_out(self, case):
        score, _, truth, clusters = case
        some = np.where(np.arange(N) % 4 == 0, np.nan, truth)
        known = np.arange(N) % 4 > 0
        assert rank(score, some, clusters) == rank(score[known], truth[known], clusters[known])
        nothing = rank(score, np.full(N, np.nan), clusters)
        assert nothing == (None, None, None, "The truth is unknown of all.")

    def test_a_constant_has_no_rank(self, case):
        score, _, truth, clusters = case
        of_score, of_truth = rank(np.zeros(N), truth, clusters), rank(score, np.ones(N), clusters)
        assert of_score[:3] == of_truth[:3] == (None, None, None)
        assert of_score.reason == "The score is the same of all."
        assert "that differ" in of_truth.reason

    def test_bad_input(self, case):
        score, _, truth, clusters = case
        with pytest.raises(ValueError, match="one length, got shapes"):
            rank(score, truth[1:], clusters)


class TestRiskCoverage:
    def test_it_is_the_mean_over_those_kept(self):
        truth, score = [0.5, 0.1, 0.9, 0.3], [3.0, 1.0, 4.0, 2.0]
        found = risk_coverage(score, truth, list("abcd"))
        assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
        assert found.risk == pytest.approx([0.1, 0.2, 0.3, 0.45])
        assert found.area.value == pytest.approx(np.mean([0.1, 0.2, 0.3, 0.45]))
        assert found.least == pytest.approx(found.area.value)  # the order is the best

    def test_of_labels_it_is_the_share_of_bad_ones(self, case):
        score, bad, _, clusters = case
        found = risk_coverage(score + 1e-6 * np.arange(N), np.array(bad), clusters)
        order = np.argsort(score + 1e-6 * np.arange(N))
        for kept in range(1, N + 1):
            assert found.risk[kept - 1] == pytest.approx(np.array(bad)[order[:kept]].mean())
        assert found.least <= found.area.value <= found.risk.max()
        assert found.area.low < found.area.value < found.area.high

    def test_a_constant_leaves_the_risk_as_it_is(self, case):
        _, _, truth, clusters = case
        found = risk_coverage(np.zeros(N), truth, clusters)
        assert found.risk == pytest.approx(np.full(N, truth.mean()))

    def test_nothing_known_is_refused(self, case):
        score, _, _, clusters = case
        with pytest.raises(ValueError, match="at least one value"):
            risk_coverage(score, np.full(N, np.nan), clusters)


cases = st.lists(
    st.tuples(st.integers(-20, 20), st.booleans(), st.integers(0, 4)), min_size=2, max_size=15
)


class TestInvariance:
    @settings(max_examples=30, deadline=None)
    @given(cases)
    def test_the_order_of_scores_alone_matters(self, rows):
        score, bad, clusters = (np.array(column) for column in zip(*rows, strict=True))
        plain, transformed = (
            evaluate(values, bad.tolist(), clusters, n_resamples=5)
            for values in (score, score.astype(float) ** 3 + 7)
        )
        assert plain == transformed
        truth = np.abs(score) + bad
        assert rank(score, truth, clusters, 5) == rank(score / 3 - 1, truth, clusters, 5)

    @settings(max_examples=30, deadline=None)
    @given(st.data())
    def test_the_order_of_systems_is_nothing(self, data):
        rows = data.draw(cases)
        values = []
        for order in (rows, data.draw(st.permutations(rows))):
            score, bad, clusters = (list(column) for column in zip(*order, strict=True))
            found = evaluate(score, bad, clusters, n_resamples=1)
            curve = risk_coverage(score, np.array(bad), clusters, n_resamples=1)
            measured = (found.auroc, found.auprc, rank(score, np.abs(score), clusters, 1))
            known = [m.value for m in measured if m.value is not None]
            values.append([*known, found.base_rate, *curve.risk])
        assert values[0] == pytest.approx(values[1])
