"""Trajectories in blocks against the same errors as one array."""

import numpy as np
import pytest

from ltau import ErrorBins
from ltau._errors.trajectories import Trajectories
from ltau.log import ErrorLog


@pytest.fixture
def errors():
    rng = np.random.default_rng(0)
    errors = rng.exponential(size=(200, 12)).astype(np.float32)
    errors[rng.random(errors.shape) < 0.2] = np.nan
    errors[:, -1] = 1.0
    return errors


@pytest.fixture(params=["array", "log"])
def kept(request, errors, tmp_path):
    """The errors in memory, or on disk."""
    if request.param == "array":
        return errors
    with ErrorLog(tmp_path / "log", n_samples=len(errors)) as log:
        for epoch in errors.T:
            (seen,) = np.nonzero(~np.isnan(epoch))
            log.record(seen, epoch[seen])
            log.end_epoch()
    return log


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("ltau._errors.trajectories._BLOCK_VALUES", 300)
    monkeypatch.setattr("ltau._errors.trajectories._SCATTERED_VALUES", 100)


def histograms(errors, edges):
    return np.array([np.histogram(row[~np.isnan(row)], edges)[0] for row in errors])


def test_errors_are_counted_after_the_burn_in(errors, kept):
    trajectories = Trajectories(kept, burn_in=0.25)
    bins = trajectories.find_bins("log", 20)
    np.testing.assert_array_equal(bins.edges, ErrorBins.from_errors(errors[:, 3:], 20).edges)
    counts = trajectories.count(bins).counts
    np.testing.assert_array_equal(counts, histograms(errors[:, 3:], bins.edges))


def test_groups_are_counted_together(errors, kept):
    groups = np.random.default_rng(1).integers(6, size=200)
    trajectories = Trajectories(kept, burn_in=3)
    bins = trajectories.find_bins("linear", 20)
    counts = trajectories.count_together(bins, groups, 7).counts
    single = histograms(errors[:, 3:], bins.edges)
    expected = [single[groups == group].sum(axis=0) for group in range(7)]
    np.testing.assert_array_equal(counts, expected)


def test_counts_of_a_group_do_not_overflow():
    errors = np.full((300, 250), 0.5, np.float32)
    bins = ErrorBins([0.0, 1.0, 2.0])
    histogram = Trajectories(errors, 0).count_together(bins, np.zeros(300, int), 1)
    assert histogram.counts.tolist() == [[75_000, 0]]


def test_some_samples_are_taken(errors, kept):
    rows = np.array([3, 4, 50, 120, 199])
    some = Trajectories(kept, burn_in=2).take(np.arange(0, 200)).take(rows)
    assert len(some) == 5
    np.testing.assert_array_equal(some.read(), errors[rows, 2:])
    bins = some.find_bins("log", 10)
    np.testing.assert_array_equal(bins.edges, ErrorBins.from_errors(errors[rows, 2:], 10).edges)
    np.testing.assert_array_equal(some.count(bins).counts, histograms(errors[rows, 2:], bins.edges))


def test_a_check_passes_what_can_be_counted(kept):
    trajectories = Trajectories(kept, 0)
    trajectories.check(trajectories.find_bins("log", 10))


@pytest.mark.parametrize(
    ("row", "value", "message"),
    [
        (7, np.nan, r"1 samples have none: 7\."),
        (150, -1.0, "non-negative magnitudes, got -1"),
        (150, 2.5, "reach 2.5, above the last bin edge 2"),
        (150, np.inf, "finite in float32"),
        (150, 1e300, "finite in float32"),
    ],
)
@pytest.mark.parametrize("look", ["check", "count"])
def test_what_cannot_be_counted_is_refused(row, value, message, look):
    errors = np.ones((200, 12))
    errors[row] = value
    with pytest.raises(ValueError, match=message):
        getattr(Trajectories(errors, 0), look)(ErrorBins([0.0, 1.0, 2.0]))


def test_samples_not_seen_in_several_blocks_are_counted_and_named():
    errors = np.ones((200, 12))
    errors[[1, 100, 199]] = np.nan
    with pytest.raises(ValueError, match=r"3 samples have none: 1, 100, 199\."):
        Trajectories(errors, 0).check(ErrorBins([0.0, 1.0]))
