"""Broken and made bonds: closed forms of two atoms, and OC20's definition by brute force."""

import itertools

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.data import covalent_radii
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.is2rs.measuring.topology import Anomalies, anomalies
from ltau.structures import iread

CU, C, O = (covalent_radii[number] for number in (29, 6, 8))  # noqa: E741
QUIET = Anomalies(False, False, False)


def slab_with_co():
    """Make carbon monoxide on copper, near an edge of the cell."""
    atoms = fcc111("Cu", (3, 3, 3), vacuum=8.0, periodic=True)
    add_adsorbate(atoms, Atoms("CO", [(0, 0, 0), (0, 0, 1.15)]), 1.85, "ontop")
    atoms.set_tags([*np.where(atoms.get_tags()[:-2] == 1, 1, 0), 2, 2])
    return atoms


def moved(atoms, number, by):
    atoms = atoms.copy()
    atoms.positions[number] += by
    return atoms


def pair(metal_distance, bond=1.15, height=2.0):
    """Make carbon monoxide on a slab of two atoms."""
    atoms = Atoms(
        "Cu2CO",
        [(0, 0, 0), (metal_distance, 0, 0), (0, 0, height), (0, 0, height + bond)],
        cell=np.diag([40.0, 40.0, 40.0]),
    )
    atoms.set_tags([1, 1, 2, 2])
    return atoms


class TestKinds:
    def test_nothing_happens_to_a_structure_itself(self):
        atoms = slab_with_co()
        assert anomalies(atoms, atoms) == QUIET

    def test_a_molecule_on_its_way_up_desorbs(self):
        atoms = slab_with_co()
        away = moved(atoms, [-2, -1], (0, 0, 4.0))
        assert anomalies(atoms, away) == QUIET._replace(desorbed=True)

    def test_an_atom_beside_the_molecule_dissociates(self):
        atoms = slab_with_co()
        apart = moved(atoms, -1, (2.6, 0, -1.15))
        assert anomalies(atoms, apart) == QUIET._replace(dissociated=True)

    def test_atoms_that_come_together_do_not_dissociate(self):
        atoms = slab_with_co()
        apart = moved(atoms, -1, (2.6, 0, -1.15))
        assert anomalies(apart, atoms) == QUIET

    def test_a_ring_that_opens_does_not_dissociate(self):
        atoms = slab_with_co()[:-2]
        ring = Atoms("C3", [(0, 0, 0), (1.4, 0, 0), (0.7, 1.2, 0)])
        add_adsorbate(atoms, ring, 1.85, "ontop")
        atoms.set_tags([*atoms.get_tags()[:-3], 2, 2, 2])
        chain = moved(atoms, -1, (2.0, -1.2, 0))
        assert anomalies(atoms, chain) == QUIET

    def test_an_atom_pulled_out_of_the_surface_reconstructs_it(self):
        atoms = slab_with_co()
        assert anomalies(atoms, moved(atoms, 20, (0, 0, 4.0))).reconstructed

    def test_small_moves_are_tolerated(self):
        atoms = slab_with_co()
        shaken = atoms.copy()
        shaken.positions += np.random.default_rng(0).normal(0, 0.1, (len(atoms), 3))
        assert anomalies(atoms, shaken) == QUIET


class TestDistances:
    @settings(max_examples=30, deadline=None)
    @given(st.floats(0.6, 4.0))
    def test_a_bond_ends_at_the_radii_and_a_skin(self, bond):
        end = C + O + 0.6
        assume(abs(bond - end) > 1e-6)
        assert anomalies(pair(2.5), pair(2.5, bond=bond)).dissociated == (bond > end)

    @settings(max_examples=30, deadline=None)
    @given(st.floats(1.0, 8.0))
    def test_contact_with_the_slab_ends_at_a_cushion(self, height):
        end = 1.5 * (C + CU) + 0.6
        assume(abs(height - end) > 1e-6)
        assert anomalies(pair(2.5), pair(2.5, height=height)).desorbed == (height > end)

    @settings(max_examples=30, deadline=None)
    @given(st.floats(2.0, 6.0), st.floats(2.0, 6.0))
    def test_the_surface_changes_beyond_a_tolerance(self, before, after):
        bond, contact = 2 * CU + 0.6, 3 * CU + 0.6
        for value, end in itertools.product((before, after), (bond, contact)):
            assume(abs(value - end) > 1e-6)
        near, far = sorted((before, after))
        found = anomalies(pair(before), pair(after)).reconstructed
        assert found == (near < bond and far > contact)


def connectivity(atoms, multiplier):
    """Compute OC20's, over 125 images."""
    images = np.array(list(itertools.product(range(-2, 3), repeat=3))) @ atoms.cell.array
    vectors = atoms.positions[:, None] - atoms.positions
    distances = np.array([np.linalg.norm(vectors + image, axis=-1) for image in images])
    radii = multiplier * covalent_radii[atoms.numbers] + 0.3
    near = distances < radii[:, None] + radii
    near[len(images) // 2][np.diag_indices(len(atoms))] = False
    return near.any(axis=0)


@pytest.mark.parametrize(
    ("sid", "expected"),
    [
        ("random1000142", QUIET),
        ("random1000163", QUIET),
        ("random1000191", QUIET._replace(dissociated=True)),  # an N2O4 falls apart on its way
        ("random1000100", QUIET._replace(reconstructed=True)),
    ],
)
def test_real_relaxations_are_as_oc20_defines_them(data_dir, sid, expected):
    path = data_dir / "oc20" / "is2res" / f"{sid}.extxyz.xz"
    [initial], [final] = iread(path, 0), iread(path, -1)
    adsorbate = initial.get_tags() == 2
    slabs = [connectivity(atoms[~adsorbate], m) for atoms in (initial, final) for m in (1.0, 1.5)]
    before, before_loose, after, after_loose = slabs
    molecule = [connectivity(atoms[adsorbate], 1.0) for atoms in (initial, final)]
    by_oc20 = Anomalies(
        not np.array_equal(*molecule),
        not connectivity(final, 1.5)[adsorbate][:, ~adsorbate].any(),
        bool((after & ~before_loose).any() or (before & ~after_loose).any()),
    )
    assert anomalies(initial, final) == by_oc20 == expected


@pytest.mark.parametrize(
    ("numbers", "by"), [(-1, (2.6, 0, -1.15)), ([-2, -1], (0, 0, 4.0)), (20, (0, 0, 4.0))]
)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_wrapping_changes_nothing(numbers, by, seed):
    atoms = slab_with_co()
    after = moved(atoms, numbers, by)
    images = np.random.default_rng(seed).integers(-2, 3, (len(atoms), 3))
    wrapped = moved(after, slice(None), images @ atoms.cell.array)
    assert anomalies(atoms, wrapped) == anomalies(atoms, after) != QUIET


def test_a_molecule_across_the_edge_is_whole():
    atoms = slab_with_co()
    across = moved(atoms, -1, atoms.cell[0])
    assert anomalies(across, atoms) == anomalies(atoms, across) == QUIET


class TestBadInput:
    @pytest.mark.parametrize("tag", [0, 2])
    def test_tags_that_tell_nothing_apart(self, tag):
        atoms = slab_with_co()
        atoms.set_tags(tag)
        with pytest.raises(ValueError, match=rf"adsorbate, tagged 2, .* got only the tags \[{tag}"):
            anomalies(atoms, atoms)

    def test_other_atoms(self):
        atoms = slab_with_co()
        with pytest.raises(ValueError, match="the same atoms"):
            anomalies(atoms, atoms[:-1])
