"""Errors of atoms from a handful of saved models, against forces in closed form."""

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import read, write

from ltau import LTAUEstimator
from ltau.adapters.ase import errors_from_checkpoints


class Spring(Calculator):
    """Pulls every atom to the origin, and counts what it is asked."""

    implemented_properties = ("energy", "forces")

    def __init__(self, stiffness):
        super().__init__()
        self.stiffness = stiffness
        self.n_calculations = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.n_calculations += 1
        self.results["energy"] = self.stiffness / 2 * (atoms.positions**2).sum()
        self.results["forces"] = -self.stiffness * atoms.positions


@pytest.fixture
def frames():
    """Molecules of other sizes, pulled with a stiffness of 1."""
    rng = np.random.default_rng(0)
    made = [Atoms(f"Cu{n}", rng.normal(size=(n, 3))) for n in (3, 1, 5)]
    for atoms in made:
        atoms.calc = SinglePointCalculator(atoms, forces=-atoms.positions)
    return made


def test_they_are_lengths_of_differences_to_the_labels(frames):
    distances = np.linalg.norm(np.concatenate([atoms.positions for atoms in frames]), axis=1)
    errors = errors_from_checkpoints([Spring(3.0), Spring(1.5), Spring(1.0)], frames)
    assert errors.dtype == np.float64
    np.testing.assert_allclose(errors, distances[:, None] * [2.0, 0.5, 0.0], rtol=1e-12)


def test_calculators_may_come_one_after_the_other(frames):
    """And structures too; each is calculated once."""
    made = []

    def load():
        for stiffness in (2.0, 1.0):
            made.append(Spring(stiffness))
            yield made[-1]

    errors = errors_from_checkpoints(load(), iter(frames))
    assert errors.shape == (9, 2)
    assert [calculator.n_calculations for calculator in made] == [3, 3]


def test_structures_stay_as_they_are(frames):
    before = [atoms.calc for atoms in frames]
    errors_from_checkpoints([Spring(2.0)], frames)
    for atoms, calculator in zip(frames, before, strict=True):
        assert atoms.calc is calculator
        np.testing.assert_array_equal(calculator.results["forces"], -atoms.positions)


def test_fixed_atoms_have_errors(frames, tmp_path):
    """In files too, whose labels ASE would give without the forces on fixed atoms."""
    expected = errors_from_checkpoints([Spring(2.0)], frames)
    for atoms in frames:
        atoms.set_constraint(FixAtoms([0]))
    write(tmp_path / "frames.extxyz", frames)
    for structures in (frames, read(tmp_path / "frames.extxyz", ":")):
        found = errors_from_checkpoints([Spring(2.0)], structures)
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_labels_may_be_those_of_a_calculator_that_has_computed_them(make_cluster):
    atoms = make_cluster(0)
    atoms.calc = EMT()
    with pytest.raises(ValueError, match=r"labels of every frame, got none of frame 0"):
        errors_from_checkpoints([LennardJones(epsilon=0.1, sigma=2.3)], [atoms])
    forces = atoms.get_forces()
    (difference,) = errors_from_checkpoints([LennardJones(epsilon=0.1, sigma=2.3)], [atoms]).T
    expected = forces - LennardJones(epsilon=0.1, sigma=2.3).get_forces(atoms)
    np.testing.assert_allclose(difference, np.linalg.norm(expected, axis=1))


def test_an_estimator_learns_from_them(make_cluster, latents_of):
    """Pair potentials that come nearer to the true one; a single one does as well."""
    frames = [make_cluster(seed) for seed in range(20)]
    for atoms in frames:
        true = LennardJones(epsilon=0.1, sigma=2.3).get_forces(atoms)
        atoms.calc = SinglePointCalculator(atoms, forces=true)
    stages = [LennardJones(epsilon=0.1, sigma=sigma) for sigma in (2.0, 2.1, 2.2)]
    rows = np.concatenate([latents_of(atoms) for atoms in frames])
    for calculators in (stages, stages[-1:]):
        errors = errors_from_checkpoints(calculators, frames)
        expected = LTAUEstimator(5).fit(rows, errors).predict(rows)
        assert np.corrcoef(np.log(expected), np.log(errors[:, -1]))[0, 1] > 0.5


class Energies(Calculator):
    """Gives no forces."""

    implemented_properties = ("energy",)


class Given(Spring):
    """Gives the forces that it was given, whatever the atoms."""

    def calculate(self, *arguments, **options):
        self.results["forces"] = self.stiffness


def label(atoms, forces):
    atoms.calc = SinglePointCalculator(atoms, forces=forces)
    return atoms


@pytest.mark.parametrize(
    ("calculators", "spoil", "error", "message"),
    [
        ([], None, ValueError, "at least one calculator, got none"),
        ([Spring(1.0)], lambda frames: [], ValueError, "at least one structure, got none"),
        (
            [Spring(1.0)],
            lambda frames: frames[0],
            TypeError,
            "frame 0 to be an ase.Atoms, got Atom",
        ),
        (
            [Spring(1.0)],
            lambda frames: [frames[0], frames[1].copy()],
            ValueError,
            "as labels of every frame, got none of frame 1",
        ),
        (
            [Spring(1.0)],
            lambda frames: [label(frames[1].copy(), [[np.nan, 0, 0]])],
            ValueError,
            "finite forces as labels of frame 0, got NaN or infinity",
        ),
        (
            [Spring(1.0), Energies()],
            None,
            ValueError,
            "calculators that give forces, got calculator 1, a Energies",
        ),
        (
            [Given(np.zeros((3, 3)))],
            None,
            ValueError,
            r"of shape \(1, 3\) from calculator 0 in frame 1, got \(3, 3\)",
        ),
        (
            [Given(np.full((3, 3), np.inf))],
            None,
            ValueError,
            "finite forces from calculator 0 in frame 0, got NaN or infinity",
        ),
    ],
)
def test_what_has_no_errors_is_refused(calculators, spoil, error, message, frames):
    with pytest.raises(error, match=message):
        errors_from_checkpoints(calculators, frames if spoil is None else spoil(frames))


def test_a_structure_that_was_moved_has_no_labels(frames):
    frames[2].positions += 0.1
    with pytest.raises(ValueError, match="got none of frame 2"):
        errors_from_checkpoints([Spring(1.0)], frames)


def test_the_same_calculator_again_is_refused(frames):
    """Another checkpoint that is loaded into it leaves its results as they were."""
    spring = Spring(2.0)
    with pytest.raises(ValueError, match="for each checkpoint, got calculator 0 again"):
        errors_from_checkpoints([spring, spring], frames)
