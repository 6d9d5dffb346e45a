"""ErrorBins against numpy.searchsorted."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ltau import ErrorBins, ErrorHistogram
from ltau._errors.range import ErrorRange

FLOAT32 = np.finfo(np.float32)
N_FINITE = int(np.float32(np.inf).view(np.uint32))  # bit patterns of 0 and above, before infinity


def expected_index(bins, values):
    """The definition: edges[i] <= value < edges[i + 1], and the last bin holds its upper edge."""
    edges = bins.edges.astype(np.float32)
    index = np.searchsorted(edges, np.asarray(values, np.float32), side="right") - 1
    return np.minimum(index, bins.n_bins - 1)


def around(edges):
    """Every edge, and its two neighbours among the float32 numbers, as far as they have a bin."""
    edges = edges.astype(np.float32)
    below = np.nextafter(edges[1:], np.float32(0))
    above = np.nextafter(edges[:-1], np.float32(np.inf))
    return np.concatenate([edges, below, above])


def from_bits(bits):
    return np.array(bits, np.uint32).view(np.float32)


@st.composite
def edges_and_values(draw):
    """Edges that are any number of float32 steps apart: many in a cell, or many cells apart."""
    largest_step = 2 ** draw(st.integers(0, 26))
    steps = draw(st.lists(st.integers(1, largest_step), min_size=1, max_size=40))
    last = min(sum(steps) + draw(st.integers(0, N_FINITE // 2)), N_FINITE - 2)
    positive = [bits for bits in last - np.cumsum([0, *steps[1:]]) if bits > 0][::-1]
    values = draw(st.lists(st.integers(0, last), max_size=30))
    return from_bits([0, *positive]), from_bits(values)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@given(edges_and_values())
@settings(deadline=None, max_examples=150)
def test_any_edges_bin_as_searchsorted_does(case):
    edges, values = case
    bins = ErrorBins(edges)
    values = np.concatenate([values, around(edges)])
    np.testing.assert_array_equal(bins.index(values), expected_index(bins, values))


@pytest.mark.parametrize(
    "bins",
    [
        ErrorBins.log(1e-3, 20.0, n_bins=100),
        ErrorBins.log(1e-30, 1e30, n_bins=2),
        ErrorBins.log(1.0, 1.001, n_bins=1000),  # hundreds of edges in one cell
        ErrorBins.linear(20.0, n_bins=1000),
        ErrorBins.linear(20.0, n_bins=1),
        ErrorBins([0.0, FLOAT32.smallest_subnormal, FLOAT32.tiny, 1.0]),
        ErrorBins([0.0, 0.5, 3.0, 20.0]),
    ],
    ids=repr,
)
def test_bins_agree_with_searchsorted(bins, rng):
    uniform = rng.uniform(0, bins.edges[-1], size=5000)
    log_uniform = bins.edges[-1] * 10.0 ** rng.uniform(-50, 0, size=5000)  # denormals, and zeros
    for values in (uniform, log_uniform, around(bins.edges)):
        np.testing.assert_array_equal(bins.index(values), expected_index(bins, values))


def test_zero_minus_zero_and_the_smallest_number_have_the_first_bin():
    bins = ErrorBins([0.0, 1e-44, 1.0])
    assert bins.index([0.0, -0.0, FLOAT32.smallest_subnormal]).tolist() == [0, 0, 0]


def test_each_edge_begins_its_bin_and_the_last_edge_ends_the_last():
    bins = ErrorBins.linear(3.0, n_bins=300)
    assert bins.index(bins.edges).tolist() == [*range(300), 299]


def test_edges_up_to_the_largest_float32():
    bins = ErrorBins([0.0, 1.0, FLOAT32.max])
    assert bins.index([0.5, 1.0, FLOAT32.max]).tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="finite"):
        bins.index([np.inf])


def test_a_float64_that_rounds_to_the_last_edge_has_a_bin():
    assert ErrorBins([0.0, 0.1, 0.3]).index(0.3 + 1e-12) == 1


@pytest.mark.parametrize("dtype", [">f4", np.float16, np.float64, np.int32, np.uint8, object])
def test_any_real_type_and_memory_layout(dtype):
    bins = ErrorBins.linear(12.0, n_bins=5)
    values = np.arange(12).reshape(3, 4).astype(dtype)
    for layout in (values, np.asfortranarray(values), values[::-1, ::2], values[1, 2]):
        expected = expected_index(bins, layout)
        np.testing.assert_array_equal(bins.index(layout), expected, strict=False)
        assert np.shape(bins.index(layout)) == np.shape(layout)


def test_the_first_bin_reaches_down_to_zero():
    bins = ErrorBins([0.25, 1.0, 2.0])
    assert bins.edges.tolist() == [0.0, 1.0, 2.0]
    assert bins.index([0.0, 0.1]).tolist() == [0, 0]


def test_the_edges_given_are_left_alone():
    given_edges = np.array([0.25, 1.0, 2.0])
    ErrorBins(given_edges)
    assert given_edges.tolist() == [0.25, 1.0, 2.0]


def test_edges_are_what_comparisons_use():
    bins = ErrorBins([0.0, 0.1, 0.3])
    assert bins.edges.tolist() == [0.0, float(np.float32(0.1)), float(np.float32(0.3))]
    assert bins.widths == pytest.approx([0.1, 0.2], rel=1e-6)
    assert len(bins) == bins.n_bins == 2


def test_log_bins_grow_by_one_ratio_and_linear_bins_have_one_width():
    edges = ErrorBins.log(0.01, 10.0, n_bins=31).edges
    assert edges[0] == 0
    np.testing.assert_allclose(edges[2:] / edges[1:-1], 1000 ** (1 / 30), rtol=1e-6)
    assert edges[[1, -1]] == pytest.approx([0.01, 10.0], rel=1e-7)
    np.testing.assert_allclose(ErrorBins.linear(2.0, n_bins=8).widths, 0.25)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([0.0, 1.0, 1.0], "strictly increasing"),
        ([0.0, 2.0, 1.0], "strictly increasing"),
        ([1.0, 0.5, 2.0], "strictly increasing"),  # not mended by lowering the first edge
        ([0.0, 0.0, 1.0], "strictly increasing"),
        ([0.0, 1.0, 1.0 + 1e-9], "strictly increasing in float32"),
        ([0.0, 1e-60], "strictly increasing in float32"),
        ([0.0, 1.0, 1e39], "strictly increasing in float32"),
        ([-1.0, 1.0], "non-negative"),
        ([0.0, np.inf], "finite"),
        ([0.0, np.nan, 1.0], "finite"),
        ([], "at least 2 bin edges"),
        ([1.0], "at least 2 bin edges"),
        (1.0, "1-D"),
        ([[0.0, 1.0], [2.0, 3.0]], "1-D"),
    ],
)
def test_edges_that_make_no_bins_are_refused(edges, message):
    with pytest.raises(ValueError, match=message):
        ErrorBins(edges)


@pytest.mark.parametrize(
    ("way", "arguments", "message"),
    [
        ("log", (0.0, 1.0), "0 < low < high"),
        ("log", (-1.0, 1.0), "0 < low < high"),
        ("log", (1.0, 1.0), "0 < low < high"),
        ("log", (np.nan, 1.0), "0 < low < high"),
        ("log", (1.0, np.inf), "high|finite"),
        ("log", (0.1, 1.0, 1), "n_bins >= 2"),
        ("log", (1.0, 1.00001, 1000), "fewer bins"),
        ("linear", (0.0,), "positive, finite high"),
        ("linear", (-1.0,), "positive, finite high"),
        ("linear", (np.nan,), "finite"),
        ("linear", (np.inf,), "finite"),
        ("linear", (1.0, 0), "n_bins >= 1"),
        ("from_errors", ([1.0, 2.0], 1), "n_bins >= 2"),
        ("from_errors", ([1.0, 2.0], 10, "cubic"), "'log' or 'linear'"),
    ],
)
def test_bins_that_cannot_be_made_are_refused(way, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(ErrorBins, way)(*arguments)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (-0.5, "non-negative magnitudes, got -0.5"),
        (-np.inf, "non-negative"),
        (-FLOAT32.smallest_subnormal, "non-negative"),
        (np.inf, "finite"),
        (1e300, "finite in float32"),
        (2.5, "reach 2.5, above the last bin edge 2"),
        (np.nextafter(np.float32(2), np.float32(3)), "above the last bin edge 2"),
    ],
)
def test_an_error_without_a_bin_is_refused(error, message):
    bins = ErrorBins([0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=message):
        bins.index([0.5, error])
    histogram = ErrorHistogram(bins, n_samples=2)
    for errors, ids in [([0.5, error], None), ([[0.5], [error]], None), ([error], [0])]:
        with pytest.raises(ValueError, match=message):
            histogram.update(errors, ids)


def test_index_refuses_nan():
    with pytest.raises(ValueError, match="without NaN"):
        ErrorBins([0.0, 1.0]).index([0.5, np.nan])


# Edges found from errors.


@pytest.mark.parametrize("spacing", ["log", "linear"])
@given(
    st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=50).map(np.float32),
    st.integers(2, 100),
    st.randoms(use_true_random=False),
)
@example(np.zeros(3, np.float32), 100, None)
@example(np.full(3, 0.7, np.float32), 100, None)
@example(np.full(3, FLOAT32.smallest_subnormal), 100, None)
@settings(deadline=None, max_examples=60)
def test_bins_from_errors_hold_every_error_in_any_order(spacing, errors, n_bins, random):
    bins = ErrorBins.from_errors(errors, n_bins, spacing)
    assert bins.n_bins == n_bins
    np.testing.assert_array_equal(bins.index(errors), expected_index(bins, errors))
    shuffled = errors.tolist()
    if random is not None:
        random.shuffle(shuffled)
    same = ErrorBins.from_errors([shuffled, [np.nan] * len(shuffled)], n_bins, spacing)
    np.testing.assert_array_equal(same.edges, bins.edges)


@pytest.mark.parametrize("spacing", ["log", "linear"])
def test_the_last_edge_is_the_largest_error(spacing, rng):
    errors = rng.lognormal(size=(300, 40))
    bins = ErrorBins.from_errors(errors, 50, spacing)
    assert bins.edges[-1] == np.float32(errors.max())


@pytest.mark.parametrize("n_epochs", [1, 7, 70_000])  # blocks of many rows, and of one
def test_log_bins_begin_at_the_lowest_quantile_of_the_positive_errors(n_epochs, rng):
    positive = rng.lognormal(sigma=2, size=140_000).astype(np.float32)
    errors = positive.reshape(-1, n_epochs)
    with_zeros = np.concatenate([errors, np.zeros_like(errors), np.full_like(errors, np.nan)])
    quantile = np.sort(positive)[len(positive) // 1000]
    for case in (errors, with_zeros):
        low = ErrorBins.from_errors(case).edges[1]
        assert quantile / (1 + 1 / 256) <= low <= quantile  # to a cell of the table


def test_all_zero_errors_lie_in_the_first_bin():
    assert ErrorBins.from_errors(np.zeros((4, 3))).index(np.zeros(3)).tolist() == [0, 0, 0]


def test_constant_errors_lie_in_the_last_bin_at_its_upper_edge():
    bins = ErrorBins.from_errors(np.full((4, 3), 0.7), n_bins=10)
    assert bins.edges[-1] == np.float32(0.7)
    assert bins.index(0.7) == 9
    assert 0 < bins.edges[1] < bins.edges[-1]


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ([1.0, -1.0], "non-negative magnitudes, got -1"),
        ([1.0, -FLOAT32.smallest_subnormal], "non-negative"),
        ([1.0, np.inf], "finite"),
        ([1.0, 1e39], "finite in float32"),
        ([np.nan, np.nan], "at least one error that is not NaN"),
        ([], "at least one error"),
        (np.empty((3, 0)), "at least one error"),
    ],
)
def test_errors_that_have_no_bins_are_refused(errors, message):
    with pytest.raises(ValueError, match=message):
        ErrorBins.from_errors(errors)


@pytest.mark.parametrize("spacing", ["log", "linear"])
@pytest.mark.parametrize("axis", [0, 1])
def test_bins_of_blocks_are_those_of_the_whole(spacing, axis, rng):
    errors = rng.lognormal(size=(90, 40))
    errors[rng.random(errors.shape) < 0.2] = np.nan
    blocks = (block for block in np.array_split(errors, 7, axis=axis)[::-1])
    found = ErrorBins.from_blocks(blocks, 20, spacing)
    np.testing.assert_array_equal(found.edges, ErrorBins.from_errors(errors, 20, spacing).edges)


@pytest.mark.parametrize("spacing", ["log", "linear"])
def test_bins_are_found_from_ranges_that_were_merged(spacing, rng):
    errors = rng.lognormal(size=(90, 40))
    merged = ErrorRange()
    for part in np.array_split(errors, 7):
        found = ErrorRange()
        found.update(part)
        assert merged.merge(found) is merged
    expected = ErrorBins.from_errors(errors, 20, spacing)
    np.testing.assert_array_equal(ErrorBins.from_range(merged, 20, spacing).edges, expected.edges)


def test_ranges_of_nothing_give_no_bins():
    with pytest.raises(ValueError, match="at least one error"):
        ErrorBins.from_range(ErrorRange().merge(ErrorRange()))
