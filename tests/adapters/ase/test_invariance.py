"""Latents that turn with the structure, found by rotating it."""

import numpy as np
import pytest

pytest.importorskip("ase")

from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from ltau.adapters.ase import check_invariant

NO_MODEL = EMT()


@pytest.fixture
def frames():
    made = [molecule("H2O"), bulk("Cu", cubic=True), molecule("CH3CH2OH")]
    for seed, atoms in enumerate(made):
        atoms.rattle(0.1, seed=seed)
    return made


def distances(atoms, calculator=None):
    return np.sort(atoms.get_all_distances(mic=atoms.pbc.any()), axis=1)[:, 1:3]


def test_invariant_ones_pass(frames):
    check_invariant(distances, NO_MODEL, frames)
    check_invariant(lambda atoms, c: np.ones((len(atoms), 3)), NO_MODEL, frames)
    check_invariant(distances, NO_MODEL, frames[:1])


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_rounding_is_no_rotation(frames, scale):
    """Nor is that of features that are all but constant, at any scale."""
    rng = np.random.default_rng(0)

    def latents(atoms, calculator):
        rows = np.hstack([distances(atoms), np.full((len(atoms), 2), 0.5)])
        return (scale * (rows * (1 + 1e-6 * rng.normal(size=rows.shape)))).astype(np.float32)

    check_invariant(latents, NO_MODEL, frames)


def vectors(atoms):
    """Sums of unit vectors to neighbours: turned with the structure."""
    apart = atoms.get_all_distances(mic=atoms.pbc.any(), vector=True)
    lengths = np.linalg.norm(apart, axis=2, keepdims=True)
    return np.where(lengths > 0, apart / np.maximum(lengths, 1e-9), 0).sum(axis=1)


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_ones_that_turn_are_refused(frames, share):
    """One feature of three, or a part of each, as of a model that learnt by example."""

    def one_of_three(atoms, calculator):
        return np.hstack([distances(atoms), share * vectors(atoms)[:, :1]])

    def a_part(atoms, calculator):
        return distances(atoms) + share * vectors(atoms)[:, :2]

    for latents in (one_of_three, a_part):
        with pytest.raises(ValueError, match=r"rotated, got changes by .* invariant=False"):
            check_invariant(latents, NO_MODEL, frames)


def test_structures_stay_as_they_are(frames):
    before = [atoms.positions.copy() for atoms in frames]
    check_invariant(distances, NO_MODEL, frames)
    for atoms, positions in zip(frames, before, strict=True):
        np.testing.assert_array_equal(atoms.positions, positions)
        assert atoms.calc is None


def test_periodic_structures_are_turned_with_their_cells():
    """Or all would look as if their latents turned."""
    crystal = bulk("Cu", cubic=True)
    crystal.rattle(0.1, seed=0)
    check_invariant(distances, NO_MODEL, [crystal])
    with pytest.raises(ValueError, match="rotated"):
        check_invariant(lambda atoms, c: vectors(atoms), NO_MODEL, [crystal])
