"""ErrorDistribution against scipy.stats.rv_histogram, row by row, and against integrals."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from ltau import ErrorDistribution

EDGES = np.array([0.0, 0.01, 0.05, 0.2, 0.3, 1.0, 4.0])
SCALES = [np.ones(5), np.array([1.0, 0.5, 3.0, 1e-3, 70.0])]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=SCALES, ids=["unscaled", "scaled"])
def distribution(request, rng):
    """Five rows, the last two with empty bins inside and at both ends."""
    probabilities = rng.dirichlet(np.ones(6), size=5)
    probabilities[3, [0, 2, 5]] = 0.0
    probabilities[4] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return ErrorDistribution(probabilities, EDGES).scaled(request.param)


def oracles(distribution):
    """The same rows by scipy, each over its own stretched edges."""
    return [
        stats.rv_histogram((p, distribution.edges * scale), density=False)
        for p, scale in zip(distribution.probabilities, distribution.scale, strict=True)
    ]


@st.composite
def distributions(draw):
    """Two rows over random bins, any of which may be empty, stretched by random factors."""
    n_bins = draw(st.integers(1, 8))
    widths = draw(st.lists(st.floats(1e-3, 1e3), min_size=n_bins, max_size=n_bins))
    weights = st.lists(st.integers(0, 9), min_size=n_bins, max_size=n_bins).filter(any)
    rows = np.array([draw(weights), draw(weights)])
    scale = draw(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=2))
    probabilities = rows / rows.sum(axis=1, keepdims=True)
    return ErrorDistribution(probabilities, np.cumsum([0.0, *widths]), scale)


levels = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(np.array)


# Against scipy.


def test_pdf_agrees_with_scipy(distribution, rng):
    inside = rng.uniform(0, 1.2 * EDGES[-1] * distribution.scale[:, None], size=(5, 200))
    expected = [row.pdf(x) for row, x in zip(oracles(distribution), inside, strict=True)]
    np.testing.assert_allclose(distribution.pdf(inside), expected)


def test_cdf_agrees_with_scipy(distribution, rng):
    points = rng.uniform(-0.2, 1.2, size=(5, 200)) * EDGES[-1] * distribution.scale[:, None]
    points[:, : len(EDGES)] = EDGES * distribution.scale[:, None]
    expected = [row.cdf(x) for row, x in zip(oracles(distribution), points, strict=True)]
    np.testing.assert_allclose(distribution.cdf(points), expected, atol=1e-14)


def test_points_common_to_all_rows(distribution):
    points = np.array([-1.0, 0.003, 0.1, 0.25, 1.9, 100.0, 1000.0])
    for method in ("pdf", "cdf"):
        expected = [getattr(row, method)(points) for row in oracles(distribution)]
        np.testing.assert_allclose(getattr(distribution, method)(points), expected, atol=1e-14)
        for column, point in enumerate(points):
            scalar = getattr(distribution, method)(point)
            np.testing.assert_array_equal(scalar, getattr(distribution, method)(points)[:, column])


def test_quantiles_agree_with_scipy(distribution, rng):
    q = rng.random(200)
    expected = [row.ppf(q) for row in oracles(distribution)]
    np.testing.assert_allclose(distribution.quantile(q), expected)
    np.testing.assert_array_equal(distribution.quantile(q[0]), distribution.quantile(q)[:, 0])


def test_moments_agree_with_scipy(distribution):
    rows = oracles(distribution)
    np.testing.assert_allclose(distribution.mean(), [row.mean() for row in rows])
    np.testing.assert_allclose(distribution.std(), [row.std() for row in rows], rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.5, 0.9])
def test_intervals_agree_with_scipy(distribution, level):
    expected = [row.interval(level) for row in oracles(distribution)]
    np.testing.assert_allclose(distribution.interval(level), expected)


def test_std_of_a_narrow_bin_far_from_zero_does_not_cancel():
    narrow = ErrorDistribution([[0.5, 0.5]], [1e6, 1e6 + 0.5, 1e6 + 1.0])
    assert narrow.std() == pytest.approx(1 / np.sqrt(12), rel=1e-9)


# The continuous ranked probability score.


@pytest.mark.parametrize("error", [-0.5, 0.0, 0.003, 0.05, 0.25, 1.7, 4.0, 9.0])
def test_crps_is_its_integral(distribution, error):
    def squared_difference(x, row):
        return (row.cdf(x) - (x >= error)) ** 2

    expected = []
    for row, scale in zip(oracles(distribution), distribution.scale, strict=True):
        # Quadratic between these points, so that each piece is integrated to rounding.
        ends = np.unique([*EDGES * scale, error])
        pieces = [quad(squared_difference, *piece, args=(row,))[0] for piece in pairwise(ends)]
        expected.append(sum(pieces))
    np.testing.assert_allclose(distribution.crps(np.full(5, error)), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("position", "closed_form"),
    [(-0.5, 1 / 3 + 0.5), (0.0, 1 / 3), (0.25, 0.25**2 - 0.25 + 1 / 3), (1.0, 1 / 3), (3.0, 7 / 3)],
)
@pytest.mark.parametrize("n_bins", [1, 7])
@pytest.mark.parametrize("scale", [1.0, 0.1, 30.0])
def test_crps_of_a_uniform_distribution_in_closed_form(position, closed_form, n_bins, scale):
    edges = np.linspace(2.0, 5.0, n_bins + 1)  # position 0 is its lower end, position 1 its upper
    uniform = ErrorDistribution(np.full((1, n_bins), 1 / n_bins), edges, [scale])
    score = uniform.crps([scale * (2.0 + 3.0 * position)])
    assert score == pytest.approx(3.0 * scale * closed_form, rel=1e-12)


def test_crps_of_fine_bins_is_that_of_the_points_in_them(rng):
    # E|X - y| - E|X - X'| / 2, by brute force over all pairs of the centres.
    edges = np.linspace(0.0, 3.0, 1001)
    centers = (edges[:-1] + edges[1:]) / 2
    p = rng.dirichlet(np.full(1000, 0.1), size=3)
    observed = np.array([0.2, 1.5, 4.0])
    to_observation = (p * np.abs(centers - observed[:, None])).sum(axis=1)
    between_pairs = np.einsum("ri,ij,rj->r", p, np.abs(centers[:, None] - centers), p)
    expected = to_observation - between_pairs / 2
    np.testing.assert_allclose(ErrorDistribution(p, edges).crps(observed), expected, atol=3e-3 / 2)


def test_crps_of_many_observations_a_row(distribution, rng):
    observed = rng.uniform(0, 5, size=(5, 3))
    observed[1, 2] = np.nan
    one_by_one = np.stack([distribution.crps(column) for column in observed.T], axis=1)
    np.testing.assert_array_equal(distribution.crps(observed), one_by_one)
    assert np.argwhere(np.isnan(one_by_one)).tolist() == [[1, 2]]


def test_crps_far_from_the_support_is_a_distance(distribution):
    # Beyond it every further unit costs one unit.
    end = EDGES[-1] * distribution.scale
    for far in (100.0, 1e6):
        score = distribution.crps(end + far) - distribution.crps(end)
        np.testing.assert_allclose(score, far, rtol=1e-6)
    assert np.isposinf(distribution.crps(np.full(5, np.inf))).all()


# Invariants.


@given(distributions(), levels)
@settings(deadline=None, max_examples=150)
def test_quantile_inverts_the_cdf(distribution, q):
    quantiles = distribution.quantile(q)
    np.testing.assert_allclose(distribution.cdf(quantiles), np.tile(q, (2, 1)), atol=1e-9)


@given(distributions(), levels)
@settings(deadline=None, max_examples=150)
def test_quantile_is_the_largest_error_that_stays_at_its_level(distribution, q):
    points = q * distribution.scale[:, None] * distribution.edges[-1]
    level = distribution.cdf(points)
    back = np.stack([distribution[i].quantile(level[i])[0] for i in range(2)])
    # A little slack for rounding; at the last level it is the end of the support.
    slack = 1e-9 * distribution.scale[:, None] * distribution.edges[-1]
    is_within = level < 1
    assert (back >= points - slack)[is_within].all()
    beyond = np.stack([distribution[i].cdf(back[i] + slack[i])[0] for i in range(2)])
    assert (beyond > level)[is_within].all()


@given(distributions(), levels)
@settings(deadline=None, max_examples=150)
def test_cdf_rises_from_0_to_1(distribution, fractions):
    points = np.sort(fractions) * distribution.scale[:, None] * distribution.edges[-1]
    cdf = distribution.cdf(points)
    assert (np.diff(cdf, axis=1) >= 0).all()
    assert ((cdf >= 0) & (cdf <= 1)).all()
    assert distribution.cdf([-np.inf, -1.0, 0.0]).tolist() == [[0.0, 0.0, 0.0]] * 2
    beyond = 1.001 * distribution.scale.max() * distribution.edges[-1]
    assert distribution.cdf([beyond, np.inf]).tolist() == [[1.0, 1.0]] * 2


@given(distributions())
@settings(deadline=None, max_examples=100)
def test_pdf_integrates_to_1(distribution):
    centers = (distribution.edges[:-1] + distribution.edges[1:]) / 2 * distribution.scale[:, None]
    widths = np.diff(distribution.edges) * distribution.scale[:, None]
    np.testing.assert_allclose((distribution.pdf(centers) * widths).sum(axis=1), 1.0)


@given(distributions(), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=100)
def test_scaling_stretches_the_error(distribution, a, b):
    twice, once = distribution.scaled(a).scaled(b), distribution.scaled(a * b)
    q = np.linspace(0, 1, 9)
    stretched = a * b * distribution.quantile(q)
    np.testing.assert_allclose(twice.quantile(q), stretched)
    np.testing.assert_allclose(once.quantile(q), stretched)
    np.testing.assert_allclose(once.mean(), a * b * distribution.mean())
    np.testing.assert_allclose(once.std(), a * b * distribution.std())
    np.testing.assert_allclose(twice.crps([1.0, 2.0]), once.crps([1.0, 2.0]))


def test_scaling_leaves_the_original_alone(distribution):
    before = distribution.mean()
    distribution.scaled([1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(distribution.mean(), before)


def test_empty_bins_belong_to_no_quantile():
    distribution = ErrorDistribution([[0.0, 0.5, 0.0, 0.5, 0.0]], np.arange(6.0), [2.0])
    q = [0.0, 0.25, 0.5, 0.75, 1.0]
    assert distribution.quantile(q) == pytest.approx(np.array([[2.0, 3.0, 6.0, 7.0, 8.0]]))
    assert distribution.interval(1.0) == pytest.approx(np.array([[2.0, 8.0]]))
    assert distribution.quantile(0.5 - 1e-9) == pytest.approx(4.0)
    assert distribution.pdf([1.0, 3.0, 5.0, 7.0, 9.0]).tolist() == [[0.0, 0.25, 0.0, 0.25, 0.0]]


def test_pdf_is_0_outside_the_bins_and_not_at_their_ends():
    distribution = ErrorDistribution([[0.5, 0.5]], [1.0, 2.0, 4.0])
    points = [-np.inf, 0.999, 1.0, 2.0, 4.0, 4.001, np.inf]
    assert distribution.pdf(points).tolist() == [[0.0, 0.0, 0.5, 0.25, 0.25, 0.0, 0.0]]


def test_nan_stays_nan(distribution):
    for method in (distribution.pdf, distribution.cdf):
        assert np.isnan(method(np.nan)).all()
        assert np.isnan(method([0.1, np.nan])).tolist() == [[False, True]] * 5
    scores = distribution.crps([np.nan, 1.0, 1.0, 1.0, np.nan])
    assert np.isnan(scores).tolist() == [True, False, False, False, True]


def test_rows_are_normalised_where_they_sum_to_1_but_for_rounding():
    distribution = ErrorDistribution([[0.3, 0.7 + 5e-7]], [0.0, 1.0, 2.0])
    assert distribution.cdf(2.0) == 1.0
    assert distribution.quantile(1.0) == 2.0


# Samples.


def test_samples_follow_the_cdf(distribution):
    draws = distribution.sample(2000, random_state=0)
    for row in range(5):
        p_value = stats.kstest(draws[row], lambda x, row=row: distribution[row].cdf(x)[0]).pvalue
        assert p_value > 1e-3


def test_samples_of_equal_rows_are_independent():
    distribution = ErrorDistribution(np.full((2, 4), 0.25), np.arange(5.0))
    first, second = distribution.sample(2000, random_state=0)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_the_random_state_decides_the_sample(distribution):
    draws = distribution.sample(10, random_state=1)
    np.testing.assert_array_equal(distribution.sample(10, random_state=1), draws)
    generator = np.random.default_rng(1)
    np.testing.assert_array_equal(distribution.sample(10, generator), draws)
    assert (distribution.sample(10, generator) != draws).any()
    assert (distribution.sample(10) != draws).any()


# Shapes and rows.


@pytest.mark.parametrize("n_samples", [0, 1, 3])
def test_shapes(n_samples):
    distribution = ErrorDistribution(np.full((n_samples, 2), 0.5), [0.0, 1.0, 3.0])
    for method in (distribution.pdf, distribution.cdf, distribution.quantile):
        assert method(0.5).shape == (n_samples,)
        assert method([0.5]).shape == (n_samples, 1)
        assert method([0.1, 0.2, 0.3, 0.4]).shape == (n_samples, 4)
    for method in (distribution.pdf, distribution.cdf, distribution.crps):
        assert method(np.ones((n_samples, 4))).shape == (n_samples, 4)
    assert distribution.crps(np.ones(n_samples)).shape == (n_samples,)
    assert distribution.mean().shape == distribution.std().shape == (n_samples,)
    assert distribution.interval(0.9).shape == (n_samples, 2)
    assert distribution.sample(4).shape == (n_samples, 4)
    assert len(distribution) == n_samples


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (1, [1]),
        (-1, [4]),
        (np.int64(2), [2]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [4, 2, 0]),
        (np.array([True, False, False, True, False]), [0, 3]),
        (np.array([3, 3, 0]), [3, 3, 0]),
        ([2, -1], [2, 4]),
        (np.array([], int), []),
    ],
)
def test_rows_are_taken_with_their_scales(distribution, rows, expected):
    taken = distribution[rows]
    assert len(taken) == len(expected)
    np.testing.assert_allclose(taken.mean(), distribution.mean()[expected])
    np.testing.assert_array_equal(taken.quantile(0.9), distribution.quantile(0.9)[expected])


@pytest.mark.parametrize("rows", [5, -6, np.array([0, 5]), np.array([True, False]), 1.0])
def test_rows_that_are_not_there(distribution, rows):
    with pytest.raises(IndexError):
        distribution[rows]


def test_iterating_yields_the_rows(distribution):
    means = [row.mean()[0] for row in distribution]
    np.testing.assert_allclose(means, distribution.mean())


# Refusals.


@pytest.mark.parametrize(
    ("probabilities", "edges", "scale", "message"),
    [
        ([0.5, 0.5], [0.0, 1.0, 2.0], None, "shape"),
        ([[0.5, 0.5]], [0.0, 1.0], None, "n_bins \\+ 1 edges"),
        ([[0.5, 0.5]], [[0.0, 1.0, 2.0]], None, "edges"),
        ([[0.5, 0.5]], [0.0, 1.0, 1.0], None, "strictly increasing"),
        ([[0.5, 0.5]], [0.0, 2.0, 1.0], None, "strictly increasing"),
        ([[0.5, 0.5]], [0.0, 1.0, np.inf], None, "finite"),
        ([[0.5, 0.5]], [0.0, np.nan, 1.0], None, "finite"),
        ([[1.5, -0.5]], [0.0, 1.0, 2.0], None, "non-negative"),
        ([[0.5, 0.4]], [0.0, 1.0, 2.0], None, "sum to 1"),
        ([[0.5, 0.5], [0.5, 0.6]], [0.0, 1.0, 2.0], None, "sum to 1"),
        ([[0.0, 0.0]], [0.0, 1.0, 2.0], None, "sum to 1"),
        ([[np.nan, 1.0]], [0.0, 1.0, 2.0], None, "non-negative"),
        ([[np.inf, 0.0]], [0.0, 1.0, 2.0], None, "sum to 1"),
        ([[0.5, 0.5]], [0.0, 1.0, 2.0], [0.0], "positive, finite"),
        ([[0.5, 0.5]], [0.0, 1.0, 2.0], [-1.0], "positive, finite"),
        ([[0.5, 0.5]], [0.0, 1.0, 2.0], [np.inf], "positive, finite"),
        ([[0.5, 0.5]], [0.0, 1.0, 2.0], [np.nan], "positive, finite"),
        ([[0.5, 0.5]], [0.0, 1.0, 2.0], [1.0, 1.0], "1 positive, finite scales"),
        ([[0.5, 0.5]], [0.0, 1.0, 2.0], 1.0, "scales, got shape"),
    ],
)
def test_what_is_not_a_distribution_is_refused(probabilities, edges, scale, message):
    with pytest.raises(ValueError, match=message):
        ErrorDistribution(probabilities, edges, scale)


def test_each_row_may_have_quantiles_of_its_own(distribution, rng):
    levels = rng.random((len(distribution), 3))
    alone = [
        row.quantile(own)[0]
        for row, own in zip(map(distribution.__getitem__, range(5)), levels, strict=True)
    ]
    np.testing.assert_array_equal(distribution.quantile(levels), alone)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda d: d.pdf(np.ones((4, 2))), r"\(5, m\) values, got shape \(4, 2\)"),
        (lambda d: d.cdf(np.ones((1, 2))), r"\(5, m\) values, got shape \(1, 2\)"),
        (lambda d: d.cdf(np.ones((5, 2, 1))), r"\(5, m\) values"),
        (lambda d: d.quantile(-0.1), "probabilities from 0 to 1"),
        (lambda d: d.quantile(1.1), "probabilities from 0 to 1"),
        (lambda d: d.quantile([0.5, np.nan]), "probabilities from 0 to 1"),
        (lambda d: d.quantile(np.full((5, 2), 1.1)), "probabilities from 0 to 1"),
        (lambda d: d.quantile([[0.5]]), r"\(5, m\) probabilities, got \(1, 1\)"),
        (lambda d: d.quantile(np.full((5, 2, 1), 0.5)), r"\(5, m\) probabilities"),
        (lambda d: d.interval(1.5), "level from 0 to 1"),
        (lambda d: d.interval(-0.5), "level from 0 to 1"),
        (lambda d: d.interval(np.nan), "level from 0 to 1"),
        (lambda d: d.crps(np.ones(4)), r"shape \(5,\) or \(5, n_obs\), got \(4,\)"),
        (lambda d: d.crps(1.0), r"shape \(5,\)"),
        (lambda d: d.crps(np.ones((5, 1, 1))), r"shape \(5,\)"),
        (lambda d: d.scaled(0.0), "positive, finite"),
        (lambda d: d.scaled(-1.0), "positive, finite"),
        (lambda d: d.scaled(np.nan), "positive, finite"),
        (lambda d: d.scaled(np.inf), "positive, finite"),
        (lambda d: d.scaled(np.ones((5, 1))), "got shape"),
        (lambda d: d.scaled(np.ones(4)), "."),
    ],
)
def test_arguments_that_do_not_fit_are_refused(distribution, use, message):
    with pytest.raises(ValueError, match=message):
        use(distribution)
