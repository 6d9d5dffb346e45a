"""Errors from wherever they are kept, in blocks, against the same errors as one array."""

import numpy as np
import pytest

from ltau import ErrorBins, ErrorHistogram
from ltau._errors.sources import open_errors
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
    monkeypatch.setattr("ltau._errors.sources._BLOCK_VALUES", 300)
    monkeypatch.setattr("ltau._errors.sources._SCATTERED_VALUES", 100)


def histograms(errors, edges):
    return np.array([np.histogram(row[~np.isnan(row)], edges)[0] for row in errors])


def test_errors_are_counted_after_the_burn_in(errors, kept):
    source = open_errors(kept, 200, burn_in=0.25)
    bins = source.find_bins("log", 20)
    np.testing.assert_array_equal(bins.edges, ErrorBins.from_errors(errors[:, 3:], 20).edges)
    counts = source.count(bins).counts
    np.testing.assert_array_equal(counts, histograms(errors[:, 3:], bins.edges))


def test_groups_are_counted_together(errors, kept):
    groups = np.random.default_rng(1).integers(6, size=200)
    source = open_errors(kept, 200, burn_in=3)
    bins = source.find_bins("linear", 20)
    counts = source.count_together(bins, groups, 7).counts
    single = histograms(errors[:, 3:], bins.edges)
    expected = [single[groups == group].sum(axis=0) for group in range(7)]
    np.testing.assert_array_equal(counts, expected)


def test_counts_of_a_group_do_not_overflow():
    errors = np.full((300, 250), 0.5, np.float32)
    bins = ErrorBins([0.0, 1.0, 2.0])
    histogram = open_errors(errors, len(errors), 0).count_together(bins, np.zeros(300, int), 1)
    assert histogram.counts.tolist() == [[75_000, 0]]


def test_some_samples_are_taken(errors, kept):
    rows = np.array([3, 4, 50, 120, 199])
    some = open_errors(kept, 200, burn_in=2).take(np.arange(0, 200)).take(rows)
    assert len(some) == 5
    np.testing.assert_array_equal(some.read(), errors[rows, 2:])
    bins = some.find_bins("log", 10)
    np.testing.assert_array_equal(bins.edges, ErrorBins.from_errors(errors[rows, 2:], 10).edges)
    np.testing.assert_array_equal(some.count(bins).counts, histograms(errors[rows, 2:], bins.edges))


def test_a_check_passes_what_can_be_counted(kept):
    source = open_errors(kept, 200, 0)
    source.check(source.find_bins("log", 10))


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
        getattr(open_errors(errors, len(errors), 0), look)(ErrorBins([0.0, 1.0, 2.0]))


def test_samples_not_seen_in_several_blocks_are_counted_and_named():
    errors = np.ones((200, 12))
    errors[[1, 100, 199]] = np.nan
    with pytest.raises(ValueError, match=r"3 samples have none: 1, 100, 199\."):
        open_errors(errors, len(errors), 0).check(ErrorBins([0.0, 1.0]))


@pytest.fixture
def counted(errors):
    """The errors, counted in bins that hold them."""
    histogram = ErrorHistogram(ErrorBins.from_errors(errors, 20), len(errors))
    histogram.update(errors)
    return histogram


def test_counts_are_those_of_the_errors(errors, counted):
    source = open_errors(counted, 200, burn_in=0.5)  # counts have no epochs to leave out
    bins = source.find_bins("linear", 7)
    assert bins is counted.bins
    assert len(source) == 200
    owners = np.random.default_rng(1).integers(6, size=200)
    whole = open_errors(errors, 200, burn_in=0)
    np.testing.assert_array_equal(source.count(bins).counts, whole.count(bins).counts)
    np.testing.assert_array_equal(
        source.count_together(bins, owners, 7).counts, whole.count_together(bins, owners, 7).counts
    )


def test_counts_together_do_not_overflow():
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), 300)
    histogram.update(np.full((300, 250), 0.5, np.float32))
    assert histogram.counts.dtype == np.uint8
    together = open_errors(histogram, 300, 0).count_together(histogram.bins, np.zeros(300, int), 1)
    assert together.counts.tolist() == [[75_000, 0]]


def test_counts_are_not_used_up(counted):
    before = counted.counts.copy()
    source = open_errors(counted, 200, 0)
    source.count(counted.bins).counts[:] = 0
    np.testing.assert_array_equal(counted.counts, before)


def test_what_counts_cannot_give_is_refused(counted):
    source = open_errors(counted, 200, 0)
    with pytest.raises(ValueError, match="Expected errors, got counts"):
        source.read()
    with pytest.raises(ValueError, match="got counts: give a number"):
        source.take(np.arange(3))
    with pytest.raises(ValueError, match=r"Expected counts of 199 samples.* got those of 200"):
        open_errors(counted, 199, 0)
    unseen = open_errors(ErrorHistogram(counted.bins, 2), 2, 0)
    with pytest.raises(ValueError, match=r"2 samples have none: 0, 1\."):
        unseen.check(counted.bins)
