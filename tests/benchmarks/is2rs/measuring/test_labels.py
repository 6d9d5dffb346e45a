"""What a relaxation is judged to be, where it is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from benchmarks.is2rs.measuring.labels import judge, step_errors
from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import System, free_atoms

L4 = ("L4 dissociated", "L4 desorbed", "L4 reconstructed", "L4")
GOOD = dict.fromkeys(
    ["L1", "L2 0.1", "L2 0.3", "L2 0.5", "L3 0.1", "L3 0.5", "L3 1.0", *L4, "any"], False
)
ENERGIES = (-10.0, -12.0)  # of the reference method, before and after


def frame(shift=0.0, energy=None):
    """Make carbon monoxide on copper of which two layers are free, the molecule shifted."""
    atoms = fcc111("Cu", (2, 2, 3), vacuum=8.0, periodic=True)
    add_adsorbate(atoms, Atoms("CO", [(0, 0, 0), (0, 0, 1.15)]), 1.85 + shift, "ontop")
    layers = atoms.get_tags()
    layers[-2:] = 0
    atoms.set_tags([*np.where(layers[:-2] == 1, 1, 0), 2, 2])
    atoms.set_constraint(FixAtoms(np.flatnonzero(layers == 3)))
    if energy is not None:
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
    return atoms


@pytest.fixture
def system():
    frames = (frame(0.1, ENERGIES[0]), frame(0.0, ENERGIES[1]))
    return System("s", "val_id", frames, True, None, "Cu", "CO")


@pytest.fixture
def path(system):
    """A path that ends where the reference method ends."""
    start, end = system.frames
    shape = (3, len(start))
    steps = [start.positions, (start.positions + end.positions) / 2, end.positions]
    return Path(
        numbers=start.numbers,
        tags=start.get_tags(),
        free=free_atoms(start),
        cell=start.cell.array,
        positions=np.array(steps),
        forces=np.zeros((*shape, 3)),
        energy=np.array([-20.0, -21.5, -22.0]),
        expected_error=np.zeros(shape),
        exceedance=np.zeros(shape),
        ood_score=np.zeros(shape),
        distance=np.zeros(shape),
        spread=np.empty((0, 0)),
        true_error=np.random.default_rng(0).exponential(size=shape),
        converged=True,
    )


def ending(path, **moves):
    """Move atoms of the last step, named as ``a13``."""
    positions = path.positions.copy()
    for name, by in moves.items():
        positions[-1, int(name[1:])] += by
    return replace(path, positions=positions)


def test_the_path_of_the_reference_method_is_good(system, path):
    judgement = judge(system, path)
    assert judgement.labels == GOOD
    assert (judgement.distance, judgement.energy_error) == (0, 0)
    assert (judgement.n_steps, judgement.n_atoms) == (3, 14)


def test_a_path_that_did_not_converge(system, path):
    labels = judge(system, replace(path, converged=False)).labels
    assert labels == GOOD | {"L1": True, "any": True}


class TestDistance:
    def test_it_is_the_mean_over_free_atoms(self, system, path):
        # 10 of 14 atoms are free; the first four are fixed.
        judgement = judge(system, ending(path, a4=(0.6, 0, 0.8), a5=(0, 0, 0.3), a0=(5, 0, 0)))
        assert judgement.distance == pytest.approx(0.13)
        assert judgement.labels == GOOD | {"L2 0.1": True, "any": True}

    @pytest.mark.parametrize(
        ("distance", "labels"),
        [(0.09, []), (0.11, [0.1]), (0.31, [0.1, 0.3]), (0.51, [0.1, 0.3, 0.5])],
    )
    def test_it_labels_by_thresholds(self, system, path, distance, labels):
        positions = path.positions.copy()
        positions[-1, path.free, 0] += distance
        found = judge(system, replace(path, positions=positions))
        assert found.distance == pytest.approx(distance)
        assert [name for name in GOOD if name[:2] == "L2" and found.labels[name]] == [
            f"L2 {limit}" for limit in labels
        ]

    def test_atoms_that_are_wrapped_have_not_moved(self, system, path):
        by = np.random.default_rng(1).integers(-2, 3, (14, 3)) @ path.cell
        moves = {f"a{number}": step for number, step in enumerate(by)}
        judgement = judge(system, ending(path, **moves))
        assert judgement.distance == pytest.approx(0, abs=1e-9)
        assert judgement.labels == GOOD

    def test_a_reference_that_is_wrapped_is_where_it_was(self, system, path):
        expected = judge(system, ending(path, a4=(0.5, 0, 0)))
        system.relaxed.positions[4] -= path.cell[1]
        judgement = judge(system, ending(path, a4=(0.5, 0, 0)))
        assert judgement.distance == pytest.approx(expected.distance)
        assert judgement.labels == expected.labels


class TestEnergy:
    def test_without_a_reference_it_is_the_gain_of_the_relaxation(self, system, path):
        judgement = judge(system, replace(path, energy=np.array([5.0, 4.0, 3.75])))
        assert judgement.energy_kind == "relaxation"
        assert judgement.energy_error == pytest.approx(0.75)  # -1.25 in place of -2

    def test_with_a_reference_it_is_that_of_adsorption(self, system, path):
        known = replace(system, reference_energy=-11.0)
        judgement = judge(known, replace(path, energy=np.array([5.0, 4.0, -1.25])))
        assert judgement.energy_kind == "adsorption"
        assert judgement.energy_error == pytest.approx(0.25)  # -1.25 in place of -1

    @pytest.mark.parametrize("sign", [1, -1])
    def test_it_labels_by_thresholds_either_way(self, system, path, sign):
        for error, n_labels in ((0.09, 0), (0.11, 1), (0.51, 2), (1.01, 3)):
            energy = path.energy + np.array([0, 0, sign * error])
            labels = judge(system, replace(path, energy=energy)).labels
            found = [labels["L3 0.1"], labels["L3 0.5"], labels["L3 1.0"]]
            assert found == [True] * n_labels + [False] * (3 - n_labels)

    @pytest.mark.parametrize("calculator", [None, "forces alone"])
    def test_one_that_is_unknown_has_no_label(self, system, path, calculator):
        relaxed = frame()
        if calculator:
            relaxed.calc = SinglePointCalculator(relaxed, forces=np.zeros((14, 3)))
        unknown = replace(system, frames=(system.initial, relaxed))
        judgement = judge(unknown, path)
        assert np.isnan(judgement.energy_error)
        none = dict.fromkeys(["L3 0.1", "L3 0.5", "L3 1.0", "any"])
        assert judgement.labels == GOOD | none
        # That another label is True is enough to know of any.
        assert judge(unknown, replace(path, converged=False)).labels["any"] is True


class TestTopology:
    APART, AWAY, OUT = (2.6, 0, -1.15), (0, 0, 5.0), (0, 0, 6.0)

    def test_what_happens_here_alone_is_bad(self, system, path):
        assert self.of(system, ending(path, a13=self.APART)) == {"L4 dissociated", "L4"}
        assert self.of(system, ending(path, a12=self.AWAY, a13=self.AWAY)) == {"L4 desorbed", "L4"}
        assert {"L4 reconstructed", "L4"} <= self.of(system, ending(path, a9=self.OUT))

    def test_what_happens_there_too_is_not(self, system, path):
        system.relaxed.positions[13] += self.APART
        assert self.of(system, ending(path, a13=self.APART)) == set()

    def test_what_happens_there_alone_is_not(self, system, path):
        system.relaxed.positions[13] += self.APART
        assert self.of(system, path) == set()

    def of(self, system, path):
        labels = judge(system, path).labels
        return {name for name in L4 if labels[name]}


class TestForces:
    def test_errors_are_those_of_free_atoms_of_surface_and_adsorbate(self, system, path):
        watched = [8, 9, 10, 11, 12, 13]
        judgement = judge(system, path)
        assert judgement.force_error_mean == pytest.approx(path.true_error[:, watched].mean())
        assert judgement.force_error_max == path.true_error[:, watched].max()
        assert step_errors(path) == pytest.approx(path.true_error[:, watched].mean(axis=1))

    def test_where_they_are_unknown(self, system, path):
        unknown = replace(path, true_error=np.empty((0, 0)))
        judgement = judge(system, unknown)
        assert np.isnan([judgement.force_error_mean, judgement.force_error_max]).all()
        assert judgement.labels == GOOD
        with pytest.raises(ValueError, match="with true errors"):
            step_errors(unknown)


class TestBadInput:
    def test_a_system_that_was_not_relaxed(self, system, path):
        with pytest.raises(ValueError, match="of s to be a relaxation, got single structures"):
            judge(replace(system, relaxes=False), path)

    def test_a_path_of_other_atoms(self, system, path):
        with pytest.raises(ValueError, match=r"the 14 atoms of s, Cu12CO, got one of Cu12OC"):
            judge(system, replace(path, numbers=path.numbers[[*range(12), 13, 12]]))

    def test_a_path_in_another_lattice(self, system, path):
        with pytest.raises(ValueError, match="in the lattice of s"):
            judge(system, replace(path, cell=path.cell * 1.01))

    def test_a_path_without_tags(self, system, path):
        with pytest.raises(ValueError, match="tagged as surface"):
            judge(system, replace(path, tags=np.zeros_like(path.tags)))
