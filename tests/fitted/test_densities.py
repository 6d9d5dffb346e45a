"""TrainingDensities against the explicit (n_queries, k, n_bins) computation in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau import ErrorBins, ErrorDistribution, ErrorHistogram
from ltau._fitted.densities import TrainingDensities


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def counts(rng):
    """Of 60 samples in 12 bins: each seen in another number of epochs, many bins empty."""
    bins = ErrorBins.log(0.01, 3.0, n_bins=12)
    errors = np.minimum(rng.lognormal(-2, 1.5, size=(60, 300)), 3.0)
    for row, n_seen in enumerate(rng.integers(1, 301, size=60)):
        errors[row, n_seen:] = np.nan
    histogram = ErrorHistogram(bins, n_samples=60)
    histogram.update(errors)
    return bins, histogram.counts.copy()


def densities_of(bins, counts):
    return TrainingDensities(bins.edges, np.cumsum(counts, axis=1, dtype=counts.dtype))


def probabilities_of(counts):
    return counts / counts.sum(axis=1, keepdims=True, dtype=np.float64)


def distribution_of(bins, counts):
    return ErrorDistribution(probabilities_of(counts), bins.edges)


@pytest.fixture
def neighbours(rng):
    """Ten neighbours, some of them the same, of 25 queries; their weights are uneven."""
    weights = rng.dirichlet(np.full(10, 0.2), size=25)
    return rng.integers(0, 60, size=(25, 10)), weights


def test_average_agrees_with_the_explicit_one(counts, neighbours):
    bins, counts = counts
    rows, weights = neighbours
    expected = (weights[:, :, None] * probabilities_of(counts)[rows]).sum(axis=1)
    average = densities_of(bins, counts).average(rows, weights)
    assert average.shape == (25, 12)
    np.testing.assert_allclose(average, expected, atol=1e-14)


def test_average_of_one_neighbour_is_its_density(counts):
    bins, counts = counts
    everyone = np.arange(60)[:, None]
    average = densities_of(bins, counts).average(everyone, np.ones((60, 1)))
    np.testing.assert_allclose(average, probabilities_of(counts), atol=1e-15)


@st.composite
def cases(draw):
    """Counts of any size, seldom or often seen samples, and weights of any unevenness."""
    n_samples, n_bins, k = (draw(st.integers(1, 6)) for _ in range(3))
    dtype, largest = draw(
        st.sampled_from([(np.uint8, 255), (np.uint16, 65_535), (np.uint64, 2**50)])
    )
    last = st.integers(1, largest)
    cumulative = np.empty((n_samples, n_bins), dtype)
    for row in cumulative:
        n_seen = draw(last)
        below = draw(st.lists(st.integers(0, n_seen), min_size=n_bins - 1, max_size=n_bins - 1))
        row[:] = [*sorted(below), n_seen]
    rows = draw(st.lists(st.integers(0, n_samples - 1), min_size=k, max_size=k))
    exponents = draw(st.lists(st.floats(-300, 0), min_size=k, max_size=k))
    weights = 10.0 ** np.array(exponents)
    return cumulative, np.array([rows]), weights[None] / weights.sum()


@given(cases())
@settings(deadline=None, max_examples=200)
def test_averages_are_distributions(case):
    cumulative, rows, weights = case
    edges = np.arange(cumulative.shape[1] + 1.0)
    average = TrainingDensities(edges, cumulative).average(rows, weights)
    assert (average >= 0).all()  # exactly: a probability of -1e-17 would be refused or propagate
    np.testing.assert_allclose(average.sum(axis=1), 1.0, rtol=1e-13)
    ErrorDistribution(average, edges)


@given(cases())
@settings(deadline=None, max_examples=50)
def test_average_does_not_depend_on_the_order_of_the_neighbours(case):
    cumulative, rows, weights = case
    densities = TrainingDensities(np.arange(cumulative.shape[1] + 1.0), cumulative)
    reverse = densities.average(rows[:, ::-1], weights[:, ::-1])
    np.testing.assert_allclose(densities.average(rows, weights), reverse, atol=1e-14)


def test_average_leaves_the_weights_alone(counts, neighbours):
    bins, counts = counts
    rows, weights = neighbours
    before = weights.copy()
    densities_of(bins, counts).average(rows, weights)
    np.testing.assert_array_equal(weights, before)


def test_means_are_those_of_the_distributions(counts):
    bins, counts = counts
    expected = distribution_of(bins, counts).mean()
    np.testing.assert_allclose(densities_of(bins, counts).means, expected)


def test_means_of_more_samples_than_are_handled_at_once(rng):
    bins = ErrorBins([0.0, 1.0, 3.0])
    counts = rng.integers(1, 100, size=(40_000, 2)).astype(np.uint8)
    expected = (counts[:, 0] * 0.5 + counts[:, 1] * 2.0) / counts.sum(axis=1, dtype=int)
    np.testing.assert_allclose(densities_of(bins, counts).means, expected)


@pytest.mark.parametrize("error", [-1.0, 0.0, 1e-9, 0.005, 0.01, 0.2, 2.999, 3.0, 3.001, np.inf])
def test_cdf_is_that_of_the_distributions(counts, error):
    bins, counts = counts
    rows = np.array([[5, 0, 5], [59, 1, 2]])
    probability = densities_of(bins, counts).cdf(rows, error)
    np.testing.assert_allclose(probability, distribution_of(bins, counts).cdf(error)[rows])


def test_cdf_at_every_edge_is_the_share_of_errors_below(counts):
    bins, counts = counts
    densities = densities_of(bins, counts)
    for column, edge in enumerate(bins.edges):
        share = counts[:, :column].sum(axis=1) / counts.sum(axis=1)
        np.testing.assert_allclose(densities.cdf(np.arange(60), edge), share)


def test_cdf_at_nan_is_nan(counts):
    assert np.isnan(densities_of(*counts).cdf(np.arange(3), np.nan)).all()


def test_a_histogram_is_taken_over_without_a_copy():
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0, 4.0]), n_samples=2)
    histogram.update([[0.5, 3.0, 3.0, 0.1], [1.5, np.nan, 1.5, 0.5]])
    densities = TrainingDensities.from_histogram(histogram)
    assert densities.cumulative.tolist() == [[2, 2, 4], [1, 3, 3]]
    assert np.shares_memory(densities.cumulative, histogram.counts)
    assert len(densities) == 2
    assert densities.n_bins == 3


@pytest.mark.parametrize("n_epochs", [255, 256, 65_535, 65_536])
def test_cumulative_counts_do_not_overflow_the_counts_type(n_epochs):
    # Half in one bin and half in another: only their sum is as large as the number of epochs.
    errors = np.repeat([[0.5, 1.5]], [n_epochs // 2, n_epochs - n_epochs // 2], axis=1)
    histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), n_samples=1)
    histogram.update(errors)
    densities = TrainingDensities.from_histogram(histogram)
    assert densities.cumulative.tolist() == [[n_epochs // 2, n_epochs]]


def test_arrays_make_the_same_densities_again(counts, neighbours):
    densities = densities_of(*counts)
    again = TrainingDensities.from_arrays(densities.to_arrays())
    np.testing.assert_array_equal(again.edges, densities.edges, strict=True)
    np.testing.assert_array_equal(again.cumulative, densities.cumulative, strict=True)
    np.testing.assert_array_equal(again.average(*neighbours), densities.average(*neighbours))


GOOD = np.array([[1, 3], [0, 2]], np.uint8)


@pytest.mark.parametrize(
    ("edges", "cumulative", "message"),
    [
        ([0.0, 1.0, 2.0], GOOD.astype(np.int64), "cumulative counts"),
        ([0.0, 1.0, 2.0], -GOOD.astype(np.int8), "cumulative counts"),
        ([0.0, 1.0, 2.0], GOOD.astype(np.float64), "cumulative counts"),
        ([0.0, 1.0, 2.0], GOOD.astype(str), "cumulative counts"),
        ([0.0, 1.0, 2.0], GOOD.astype(bool), "cumulative counts"),
        ([0.0, 1.0, 2.0], GOOD[0], "each bin"),
        ([0.0, 1.0, 2.0], GOOD[:, :, None], "each bin"),
        ([0.0, 1.0, 2.0], GOOD[:, :1], "each bin"),
        ([0.0, 1.0], GOOD, "each bin"),
        ([0.0, 1.0, 2.0], GOOD[:, ::-1], "rise above 0"),
        ([0.0, 1.0, 2.0], GOOD * np.array([[1], [0]], np.uint8), "rise above 0"),
        ([0.0, 2.0, 1.0], GOOD, "strictly increasing"),
        ([0.0, 1.0, np.nan], GOOD, "finite"),
        ([-1.0, 1.0, 2.0], GOOD, "non-negative"),
        ([[0.0, 1.0, 2.0]], GOOD, "1-D"),
        (["a", "b", "c"], GOOD, "."),
    ],
)
def test_arrays_that_are_no_cumulative_counts_are_refused(edges, cumulative, message):
    with pytest.raises(ValueError, match=message):
        TrainingDensities.from_arrays({"edges": np.array(edges), "cumulative": cumulative})


def test_an_average_distribution_reaches_1_where_its_last_neighbour_does(rng):
    counts = rng.integers(1, 200, (40, 12)).astype(np.uint16)
    counts[:, 7:] = 0
    densities = densities_of(ErrorBins.linear(1.0, 12), counts)
    rows = rng.integers(40, size=(500, 9))
    weights = rng.random((500, 9))
    weights /= weights.sum(axis=1, keepdims=True)
    cdf = densities.average_cdf(rows, weights)
    assert (cdf[:, 0] == 0).all()
    assert (cdf[:, 7:] == 1).all()
    assert (np.diff(cdf) >= 0).all()
    np.testing.assert_allclose(np.diff(cdf), densities.average(rows, weights), atol=1e-14)
