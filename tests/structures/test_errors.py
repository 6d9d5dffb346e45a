"""Errors of structures against sums by hand, closed forms and random draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ltau import ErrorDistribution
from ltau.structures import structure_max, structure_mean, structure_sum

LABELS = np.array(["c", "a", "c", "b", "a", "c", "c"])
MEMBERS = [label == LABELS for label in "abc"]


def random_atoms(n, n_bins=30, seed=0, *, scaled=False):
    rng = np.random.default_rng(seed)
    edges = np.concatenate([[0.0], np.geomspace(0.01, 2.0, n_bins)])
    probabilities = rng.dirichlet(np.full(n_bins, 0.5), size=n)
    return ErrorDistribution(probabilities, edges, rng.uniform(0.5, 3.0, n) if scaled else None)


@pytest.fixture(params=[False, True], ids=["plain", "scaled"])
def atoms(request):
    return random_atoms(len(LABELS), scaled=request.param)


def test_the_mean_is_that_of_the_expected_errors(atoms):
    expected = [atoms.mean()[members].mean() for members in MEMBERS]
    np.testing.assert_allclose(structure_mean(atoms, LABELS), expected)


def test_the_mean_is_exact_for_errors_that_depend_on_each_other(atoms):
    level = np.random.default_rng(0).random(20_000)  # one level for all atoms
    draws = atoms.quantile(level)
    expected = [draws[members].mean() for members in MEMBERS]
    np.testing.assert_allclose(structure_mean(atoms, LABELS), expected, rtol=0.02)


def test_the_sum_of_independent_errors_has_the_moments_of_draws(atoms):
    draws = atoms.sample(50_000, random_state=0)
    sums = np.stack([draws[members].sum(axis=0) for members in MEMBERS])
    mean, std = structure_sum(atoms, LABELS)
    np.testing.assert_allclose(mean, sums.mean(axis=1), rtol=0.02)
    np.testing.assert_allclose(std, sums.std(axis=1), rtol=0.02)


def test_errors_of_one_kind_that_go_together_reach_the_bound_of_the_sum():
    one = random_atoms(1)
    atoms = ErrorDistribution(np.repeat(one.probabilities, 5, axis=0), one.edges)
    level = np.random.default_rng(0).random(50_000)
    sums = atoms.quantile(level).sum(axis=0)
    mean, std = structure_sum(atoms, np.zeros(5, int), dependence="full")
    np.testing.assert_allclose([mean[0], std[0]], [sums.mean(), sums.std()], rtol=0.02)


@given(seed=st.integers(0, 1000), rho=st.floats(-0.9, 0.9))
@settings(deadline=None, max_examples=20)
def test_no_correlation_passes_the_bound_of_the_sum(seed, rho):
    atoms = random_atoms(2, seed=seed)
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    levels = stats.norm.cdf(normal.rvs(4000, random_state=seed))
    draws = np.stack([atoms[i].quantile(levels[:, i])[0] for i in range(2)])
    _, bound = structure_sum(atoms, [0, 0], dependence="full")
    assert draws.sum(axis=0).std() <= 1.05 * bound[0]


@pytest.mark.parametrize("dependence", ["independent", "full"])
def test_the_largest_error_has_the_distribution_of_draws(dependence, atoms):
    rng = np.random.default_rng(0)
    if dependence == "full":
        draws = atoms.quantile(rng.random(50_000))
    else:
        draws = atoms.sample(50_000, random_state=rng)
    largest = structure_max(atoms, LABELS, dependence=dependence)
    assert len(largest) == 3
    for number, members in enumerate(MEMBERS):
        of_structure = draws[members].max(axis=0)
        edges = largest.scale[number] * largest.edges
        expected = np.searchsorted(np.sort(of_structure), edges, side="right") / 50_000
        np.testing.assert_allclose(largest[number].cdf(edges[None])[0], expected, atol=0.01)


@pytest.mark.parametrize("dependence", ["independent", "full"])
def test_the_largest_error_is_exact_at_the_edges(dependence):
    atoms = random_atoms(len(LABELS))
    combine = {"independent": np.prod, "full": np.min}[dependence]
    largest = structure_max(atoms, LABELS, dependence=dependence)
    expected = [combine(atoms[members].cdf(atoms.edges), axis=0) for members in MEMBERS]
    np.testing.assert_allclose(largest.cdf(atoms.edges), expected, atol=1e-12)


def test_the_largest_of_n_uniform_errors_has_a_closed_form():
    n_bins = 1000
    atoms = ErrorDistribution(np.full((6, n_bins), 1 / n_bins), np.linspace(0, 1, n_bins + 1))
    largest = structure_max(atoms, np.zeros(6, int))
    np.testing.assert_allclose(largest.mean(), [6 / 7], rtol=1e-5)
    np.testing.assert_allclose(largest.std(), [stats.beta(6, 1).std()], rtol=1e-4)
    np.testing.assert_allclose(largest.quantile(0.5), [0.5 ** (1 / 6)], rtol=1e-5)


def test_the_largest_error_of_one_atom_is_its_own(atoms):
    largest = structure_max(atoms, np.arange(len(atoms)))
    np.testing.assert_allclose(largest.probabilities, atoms.probabilities, atol=1e-12)
    np.testing.assert_allclose(largest.mean(), atoms.mean())


def test_bins_that_begin_above_zero_and_are_stretched_lose_nothing():
    atoms = ErrorDistribution([[0.5, 0.5], [0.25, 0.75]], edges=[1.0, 2.0, 3.0], scale=[1.0, 4.0])
    largest = structure_max(atoms, [0, 0])  # the second atom's, which begins above the first's
    np.testing.assert_allclose(largest.probabilities, [[0.25, 0.75]])
    np.testing.assert_allclose(largest.scale, [4.0])


@given(seed=st.integers(0, 1000), n=st.integers(1, 6))
@settings(deadline=None)
def test_the_cases_keep_to_the_frechet_bounds(seed, n):
    atoms = random_atoms(n, seed=seed)
    cdf = atoms.cdf(atoms.edges)
    lower, upper = np.maximum(0, 1 - (1 - cdf).sum(axis=0)), cdf.min(axis=0)
    independent = structure_max(atoms, np.zeros(n, int)).cdf(atoms.edges)[0]
    full = structure_max(atoms, np.zeros(n, int), dependence="full").cdf(atoms.edges)[0]
    assert (lower <= independent + 1e-9).all()
    assert (independent <= full + 1e-9).all()
    np.testing.assert_allclose(full, upper, atol=1e-9)


@given(seed=st.integers(0, 1000))
@settings(deadline=None)
def test_the_order_of_the_atoms_does_not_matter(seed):
    atoms = random_atoms(len(LABELS), scaled=True)
    order = np.random.default_rng(seed).permutation(len(LABELS))
    mean = structure_mean(atoms[order], LABELS[order])
    np.testing.assert_allclose(mean, structure_mean(atoms, LABELS))
    largest, expected = structure_max(atoms[order], LABELS[order]), structure_max(atoms, LABELS)
    np.testing.assert_allclose(largest.probabilities, expected.probabilities, atol=1e-12)
    np.testing.assert_allclose(largest.scale, expected.scale)


@pytest.mark.parametrize("function", [structure_mean, structure_max, structure_sum])
@pytest.mark.parametrize(
    ("structures", "got"),
    [([0, 0], r"\(2,\), int64"), ([[0, 0, 0]], r"\(1, 3\)"), ([0.0, 0.0, 1.0], "float64")],
)
def test_structures_must_be_one_label_an_atom(function, structures, got):
    with pytest.raises(ValueError, match=rf"structures of shape \(3,\), .* got shape .*{got}"):
        function(random_atoms(3), structures)


@pytest.mark.parametrize("function", [structure_max, structure_sum])
def test_the_dependence_must_be_known(function):
    with pytest.raises(ValueError, match="'independent' or 'full', got 'some'"):
        function(random_atoms(3), [0, 0, 0], dependence="some")
