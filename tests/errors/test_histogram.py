"""ErrorHistogram against numpy.histogram row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ltau import ErrorBins, ErrorHistogram

FLOAT32 = np.finfo(np.float32)


def expected_counts(bins, errors):
    """Histogram of each row; numpy.histogram too closes the last bin, and leaves NaN out."""
    rows = np.asarray(errors, np.float32)
    return np.array([np.histogram(row[~np.isnan(row)], bins.edges)[0] for row in rows])


def from_bits(bits):
    return np.array(bits, np.uint32).view(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@given(
    st.lists(st.floats(0, 2.0**99, width=32), min_size=2, max_size=40, unique=True).map(sorted),
    st.data(),
)
@settings(deadline=None, max_examples=100)
def test_nothing_is_dropped(edges, data):
    error = st.floats(0, edges[-1], width=32) | st.sampled_from(edges) | st.just(np.nan)
    values = data.draw(npst.arrays(np.float32, (4, 8), elements=error))
    n_samples = len(values)
    histogram = ErrorHistogram(ErrorBins(edges), n_samples)
    histogram.update(values)
    assert histogram.counts.sum() == np.count_nonzero(~np.isnan(values))
    np.testing.assert_array_equal(histogram.counts, expected_counts(histogram.bins, values))
    np.testing.assert_array_equal(histogram.n_seen, (~np.isnan(values)).sum(axis=1))


@pytest.fixture
def errors(rng):
    """Of 700 samples over 150 epochs: handled in several blocks; a fifth was not seen."""
    errors = rng.lognormal(size=(700, 150))
    errors[rng.random(errors.shape) < 0.2] = np.nan
    return errors


@pytest.fixture
def bins(errors):
    return ErrorBins.from_errors(errors, n_bins=40)


@pytest.fixture
def whole(bins, errors):
    histogram = ErrorHistogram(bins, len(errors))
    histogram.update(errors)
    return histogram


def test_counts_are_the_histogram_of_each_row(whole, bins, errors):
    np.testing.assert_array_equal(whole.counts, expected_counts(bins, errors))
    assert whole.n_samples == len(errors)


@pytest.mark.parametrize("n_epochs", [1, 2, 37])
def test_epochs_in_any_portions_and_order_count_alike(whole, bins, errors, n_epochs, rng):
    histogram = ErrorHistogram(bins, len(errors))
    shuffled = errors[:, rng.permutation(errors.shape[1])]
    for start in range(0, errors.shape[1], n_epochs):
        portion = shuffled[:, start : start + n_epochs]
        histogram.update(portion[:, 0] if n_epochs == 1 else portion)
    np.testing.assert_array_equal(histogram.counts, whole.counts, strict=True)


@pytest.mark.parametrize("n_epochs", [1, 15])
def test_samples_in_any_batches_and_order_count_alike(whole, bins, errors, n_epochs, rng):
    histogram = ErrorHistogram(bins, len(errors))
    for start in range(0, errors.shape[1], n_epochs):
        portion = errors[:, start : start + n_epochs]
        for ids in np.array_split(rng.permutation(len(errors)), 9):
            histogram.update(portion[ids, 0] if n_epochs == 1 else portion[ids], ids)
    np.testing.assert_array_equal(histogram.counts, whole.counts)


@pytest.mark.parametrize("ids_type", [list, np.uint8, np.int32, np.uint64])
def test_named_samples_are_counted_and_others_are_not(ids_type):
    ids = [3, 0] if ids_type is list else np.array([3, 0], ids_type)
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), n_samples=4)
    histogram.update([[0.5, 1.5], [np.nan, 1.0]], ids)
    assert histogram.counts.tolist() == [[0, 1], [0, 0], [0, 0], [1, 1]]


def test_a_sample_named_often_is_counted_as_often():
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), n_samples=3)
    histogram.update(np.full(1000, 0.5), ids=[1] * 999 + [2])  # more than one byte holds
    histogram.update([[1.5], [0.5], [1.5]], ids=[1, 1, 1])
    assert histogram.counts.tolist() == [[0, 0], [1000, 2], [1, 0]]


@pytest.mark.parametrize(
    ("n_samples", "errors", "ids"),
    [(3, [], []), (3, np.empty((0, 5)), []), (3, np.empty((3, 0)), None), (0, [], None)],
)
def test_an_empty_update_counts_nothing(n_samples, errors, ids):
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0]), n_samples)
    histogram.update(errors, ids)
    assert not histogram.counts.any()


def test_nan_of_any_bit_pattern_is_skipped():
    payloads = from_bits([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFC00000, 0xFFFFFFFF])
    assert np.isnan(payloads).all()
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0]), n_samples=6)
    histogram.update(payloads)
    histogram.update(payloads[:, None])
    assert not histogram.counts.any()


@pytest.mark.parametrize(
    ("errors", "ids", "message"),
    [
        ([0.5, 0.5], None, "Expected 3 samples, got 2"),
        ([[0.5], [0.5]], None, "Expected 3 samples, got 2"),
        ([0.5] * 4, None, "Expected 3 samples, got 4"),
        (0.5, None, r"shape \(n,\) or \(n, n_epochs\)"),
        (np.zeros((3, 1, 1)), None, r"shape \(n,\) or \(n, n_epochs\)"),
        ([0.5, 0.5], [0], "Expected 1 samples, got 2"),
        ([0.5], [3], "ids from 0 to 2, got 3"),
        ([0.5], [-1], "ids from 0 to 2, got -1"),
        ([0.5], np.array([2**63], np.uint64), "ids from 0 to 2"),
        ([0.5], [1.0], "integer ids"),
        ([0.5, 0.5, 0.5], [True, False, True], "integer ids"),
        ([0.5], [[1]], "1-D integer ids"),
        ([0.5], ["1"], "integer ids"),
        ([0.5, -0.5, 0.5], None, "non-negative"),
        ([[0.5], [0.5], [9.5]], None, "above the last bin edge"),
        ([0.5, np.inf], [0, 1], "finite"),
        (np.full((3, 300), 9.5), None, "above the last bin edge"),  # would need wider counts
        (np.full((2, 300), 9.5), [0, 1], "above the last bin edge"),
    ],
)
def test_an_update_that_fails_changes_nothing(errors, ids, message):
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), n_samples=3)
    histogram.update([0.5, 0.5, 1.5])
    with pytest.raises(ValueError, match=message):
        histogram.update(errors, ids)
    expected = np.array([[1, 0], [1, 0], [0, 1]], np.uint8)
    np.testing.assert_array_equal(histogram.counts, expected, strict=True)


def test_an_error_in_the_last_block_leaves_the_earlier_ones_uncounted(whole, errors):
    before = whole.counts.copy()
    errors[-1, -1] = -1.0
    with pytest.raises(ValueError, match="non-negative"):
        whole.update(errors)
    np.testing.assert_array_equal(whole.counts, before, strict=True)


@pytest.mark.parametrize("n_first", [1, 254, 255, 256, 65_534, 65_535])
@pytest.mark.parametrize("way", ["rows", "ids", "repeated ids", "merge"])
def test_counts_widen_before_they_overflow(n_first, way):
    bins = ErrorBins([0.0, 1.0])
    histogram = ErrorHistogram(bins, n_samples=1)
    histogram.update(np.zeros((1, n_first)))
    for _ in range(2):
        if way == "rows":
            histogram.update([0.0])
        elif way == "ids":
            histogram.update([[0.0]], ids=[0])
        elif way == "repeated ids":
            histogram.update([0.0, np.nan], ids=[0, 0])
        else:
            other = ErrorHistogram(bins, n_samples=1)
            other.update([[0.0]])
            histogram.merge(other)
    assert histogram.counts.tolist() == [[n_first + 2]]
    assert histogram.n_seen.tolist() == [n_first + 2]


def test_memory_does_not_grow_with_the_number_of_epochs(bins, rng):
    sizes = set()
    for n_epochs in (1, 10, 250):
        histogram = ErrorHistogram(bins, n_samples=20)
        for _ in range(n_epochs):
            histogram.update(rng.random(20))
        sizes.add(histogram.counts.nbytes)
    assert sizes == {20 * bins.n_bins}  # a byte a bin


def test_merging_adds_up(whole, bins, errors):
    first, second = ErrorHistogram(bins, len(errors)), ErrorHistogram(bins, len(errors))
    first.update(errors[:, :100])
    second.update(errors[:, 100:])
    kept = second.counts.copy()
    assert first.merge(second) is first
    np.testing.assert_array_equal(first.counts, whole.counts)
    np.testing.assert_array_equal(second.counts, kept)
    first.merge(first)
    np.testing.assert_array_equal(first.counts, 2 * whole.counts.astype(int))


def test_merging_a_wide_histogram_into_a_narrow_one():
    bins = ErrorBins([0.0, 1.0])
    narrow, wide = ErrorHistogram(bins, n_samples=1), ErrorHistogram(bins, n_samples=1)
    narrow.update([0.0])
    wide.update(np.zeros((1, 70_000)))
    assert narrow.merge(wide).counts.tolist() == [[70_001]]


@pytest.mark.parametrize("size", [1, 64, 700])
def test_merging_other_samples_puts_them_in_their_place(whole, bins, errors, size):
    histogram = ErrorHistogram(bins, 700)
    for start in reversed(range(0, 700, size)):
        rows = slice(start, start + size)
        part = ErrorHistogram(bins, len(errors[rows]))
        part.update(errors[rows])
        histogram.merge(part, rows)
    np.testing.assert_array_equal(histogram.counts, whole.counts, strict=True)


def test_merging_into_a_range_of_another_length_fails():
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0]), n_samples=5)
    with pytest.raises(ValueError, match="Expected 2 samples, got 3"):
        histogram.merge(ErrorHistogram(histogram.bins, n_samples=3), slice(3, 8))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (ErrorHistogram(ErrorBins([0.0, 1.0, 3.0]), n_samples=3), "same bins"),
        (ErrorHistogram(ErrorBins([0.0, 1.0]), n_samples=3), "same bins"),
        (ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), n_samples=1), "Expected 3 samples, got 1"),
    ],
)
def test_merging_other_bins_or_samples_fails_and_changes_nothing(other, message):
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), n_samples=3)
    histogram.update([0.5, 0.5, 1.5])
    with pytest.raises(ValueError, match=message):
        histogram.merge(other)
    assert histogram.counts.tolist() == [[1, 0], [1, 0], [0, 1]]


@pytest.mark.parametrize("size", [1, 64, 700])
def test_ranges_of_samples_count_alike(whole, bins, errors, size):
    histogram = ErrorHistogram(bins, 700)
    for start in range(0, 700, size):
        histogram.update(errors[start : start + size], slice(start, start + size))
    np.testing.assert_array_equal(histogram.counts, whole.counts, strict=True)
