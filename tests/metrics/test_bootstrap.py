import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ltau import ErrorDistribution
from ltau.metrics import Estimate, UndefinedMetricError, auroc, bootstrap_estimate, crps, log_score


class TestEstimate:
    estimate = Estimate(0.612, low=0.58, high=0.6412, level=0.9)

    def test_is_its_value(self):
        assert self.estimate == 0.612
        assert hash(self.estimate) == hash(0.612)
        assert type(self.estimate + 1) is float
        assert np.asarray([self.estimate]).dtype == np.float64

    def test_shows_its_interval(self):
        assert repr(self.estimate) == f"{self.estimate}" == "0.612 [0.580, 0.641]"
        assert f"{self.estimate:.1f}" == "0.6"

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles(self, protocol):
        self.assert_same(pickle.loads(pickle.dumps(self.estimate, protocol)))

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    def test_copies(self, duplicate):
        self.assert_same(duplicate(self.estimate))

    def assert_same(self, other):
        assert type(other) is Estimate
        assert (other, other.low, other.high, other.level) == (0.612, 0.58, 0.6412, 0.9)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_interval_of_a_share_is_binomial(level):
    values = np.repeat([0.0, 1.0], 5)
    result = bootstrap_estimate(np.mean, values, groups=np.arange(10), level=level)
    expected = stats.binom(10, 0.5).ppf([(1 - level) / 2, (1 + level) / 2]) / 10
    assert (result, result.level) == (0.5, level)
    assert (result.low, result.high) == tuple(expected)


def test_draws_whole_groups_and_keeps_rows_aligned():
    groups = np.array([0, 1, 2, 0, 1, 0])
    samples = np.arange(6)
    sizes = set()

    def record(drawn, also_drawn):
        np.testing.assert_array_equal(drawn, also_drawn[:, 0])
        copies = np.bincount(drawn, minlength=6)
        for group in range(3):
            assert len(set(copies[groups == group])) == 1
        sizes.add(len(drawn))
        return 0.0

    bootstrap_estimate(record, samples, np.c_[samples, samples], groups=groups)
    assert sizes == {3, 4, 5, 6, 7, 8, 9}  # three groups, of 3, 2 or 1 samples


def test_takes_a_distribution_as_rows(rng, exponential):
    errors, groups = rng.random(30), np.repeat(np.arange(6), 5)
    probabilities = rng.dirichlet(np.ones(4), size=30)
    for distribution in (
        ErrorDistribution(probabilities, np.linspace(0, 1, 5)),
        exponential(rng.random(30)),
    ):
        resampled = bootstrap_estimate(crps, errors, distribution, groups=groups)
        assert resampled == pytest.approx(crps(errors, distribution))
        expected = crps(errors, distribution, groups=groups)
        assert resampled.low == pytest.approx(expected.low)
        assert resampled.high == pytest.approx(expected.high)


def test_random_state(rng):
    errors, groups = rng.random(20), np.arange(20)

    def interval(random_state):
        result = bootstrap_estimate(np.mean, errors, groups=groups, random_state=random_state)
        return result.low, result.high

    assert interval(0) == interval(0) == interval(np.random.default_rng(0))
    assert interval(0) != interval(1)


@pytest.fixture
def clustered(rng):
    """Means of 0, from 30 groups of 20 samples that are nearly equal within a group."""

    def draw():
        return (rng.normal(size=(30, 1)) + 0.1 * rng.normal(size=(30, 20))).ravel()

    return draw


def test_interval_is_wider_than_without_clusters(clustered):
    values = clustered()
    by_group = bootstrap_estimate(np.mean, values, groups=np.repeat(np.arange(30), 20))
    by_sample = bootstrap_estimate(np.mean, values, groups=np.arange(600))
    # 30 independent values instead of 600.
    ratio = (by_group.high - by_group.low) / (by_sample.high - by_sample.low)
    assert ratio == pytest.approx(np.sqrt(20), rel=0.2)


def test_interval_covers_the_truth_as_often_as_it_says(clustered):
    def share_covered(groups, n_trials=200):
        covered = 0
        for _ in range(n_trials):
            result = bootstrap_estimate(np.mean, clustered(), groups=groups, n_resamples=200)
            covered += result.low <= 0 <= result.high
        return covered / n_trials

    assert 0.87 < share_covered(np.repeat(np.arange(30), 20)) < 0.99
    assert share_covered(np.arange(600), n_trials=50) < 0.7


def test_undefined_resamples_are_left_out():
    values = np.array([0.0, 1.0])

    def raises(drawn):
        if drawn.mean() == 1:
            raise UndefinedMetricError
        return drawn.mean()

    def returns_nan(drawn):
        return np.nan if drawn.mean() == 1 else drawn.mean()

    for statistic in (raises, returns_nan):
        result = bootstrap_estimate(statistic, values, groups=[0, 1])
        assert (result, result.low, result.high) == (0.5, 0.0, 0.5)


def test_auroc_survives_resamples_of_one_class():
    # 9 % of the resamples draw no positive sample.
    positive, score = [1, 0, 0, 0, 0, 1], [0.9, 0.1, 0.3, 0.2, 0.5, 0.4]
    result = auroc(positive, score, groups=np.arange(6))
    assert 0 <= result.low < result == 0.875 < result.high == 1


def test_mostly_undefined_is_an_error():
    def needs_all_groups(drawn):
        if len(set(drawn)) < 3:
            raise UndefinedMetricError
        return 0.0

    # 3! / 3**3 = 22 % of the resamples hold all three groups.
    with pytest.raises(UndefinedMetricError, match=r"at least half .* got 2\d\d of 1000"):
        bootstrap_estimate(needs_all_groups, np.arange(3), groups=[0, 1, 2])


def test_undefined_on_all_samples_is_an_error():
    with pytest.raises(UndefinedMetricError, match="NaN on these samples"):
        bootstrap_estimate(lambda drawn: np.nan, np.arange(3), groups=[0, 1, 2])


def test_other_errors_of_the_statistic_pass_through():
    def fails(drawn):
        if len(set(drawn)) < 3:
            raise ValueError("my own")
        return 0.0

    with pytest.raises(ValueError, match="my own"):
        bootstrap_estimate(fails, np.arange(3), groups=[0, 1, 2])


def test_infinite_scores_leave_no_nan():
    distribution = ErrorDistribution(np.ones((4, 1)), edges=[0.0, 1.0])
    result = log_score([0.5, 0.5, 0.5, 2.0], distribution, groups=[0, 1, 2, 3])
    assert (result, result.low, result.high) == (np.inf, 0.0, np.inf)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": [1, 1, 1]}, "at least 2 groups, got 1"),
        ({"groups": [1, 2]}, "each of 3 samples, got 2"),
        ({"groups": [[1, 2, 3]]}, r"groups to be 1-D, got shape \(1, 3\)"),
        (
            {"groups": [1.0, np.nan, 2.0]},
            "groups with a label for every sample, got 1 missing in 3",
        ),
        ({"groups": [1, 2, 3], "level": 95}, r"level in \(0, 1\), got 95"),
        ({"groups": [1, 2, 3], "n_resamples": 0}, "n_resamples >= 1, got 0"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_estimate(np.mean, np.arange(3.0), **options)


@pytest.mark.parametrize(
    "hold",
    [
        list,
        lambda values: pd.Series(values, index=np.arange(30)[::-1]),
        lambda values: pd.Series(values, index=list("abcde") * 6),
        lambda values: pd.DataFrame({"error": values}, index=np.arange(30)[::-1]),
    ],
)
def test_rows_are_drawn_by_their_place(rng, hold):
    values, groups = rng.random(30), np.repeat(np.arange(6), 5)
    expected = bootstrap_estimate(np.mean, values, groups=groups)
    result = bootstrap_estimate(
        lambda drawn: np.mean(np.asarray(drawn)), hold(values), groups=groups
    )
    assert (result.low, result.high) == (expected.low, expected.high)


def test_a_frame_stays_one(rng):
    frame = pd.DataFrame({"error": rng.random(30)}, index=np.arange(30)[::-1])
    groups = np.repeat(np.arange(6), 5)
    result = bootstrap_estimate(lambda drawn: drawn["error"].mean(), frame, groups=groups)
    expected = bootstrap_estimate(np.mean, frame["error"].to_numpy(), groups=groups)
    np.testing.assert_allclose([result.low, result.high], [expected.low, expected.high])
