import numpy as np
import pytest

pytest.importorskip("ase")

from ase.build import molecule
from ase.calculators.emt import EMT
from ase.symbols import Symbols

from benchmarks.is2rs.sources.emt import (
    _ADSORBATES,
    _SLABS,
    _UNSEEN_ADSORBATES,
    _UNSEEN_SLABS,
    EMTSet,
    reference_forces,
    systems,
)
from benchmarks.is2rs.sources.systems import (
    ADSORBATE,
    SPLITS,
    SUBSURFACE,
    SURFACE,
    fixed_atoms,
    free_atoms,
)


@pytest.fixture(scope="module")
def made():
    return list(systems(EMTSet(n_train=3, n_each=1)))


def test_there_are_as_many_as_asked_for(made):
    splits = [system.split for system in made]
    assert {split: splits.count(split) for split in splits} == {
        "train": 3,
        **dict.fromkeys(SPLITS, 1),
    }
    assert len({system.sid for system in made}) == len(made) == EMTSet(3, 1).n_systems


def test_frames_have_the_energies_and_forces_of_the_reference_method(made):
    for system in made:
        for frame in (system.initial, system.relaxed):
            atoms = frame.copy()
            atoms.calc = EMT()
            assert frame.get_potential_energy() == pytest.approx(atoms.get_potential_energy())
            forces = frame.get_forces(apply_constraint=False)
            np.testing.assert_allclose(forces, reference_forces(frame), atol=1e-12)
            np.testing.assert_allclose(forces, atoms.get_forces(apply_constraint=False))


def test_the_last_frame_is_relaxed_and_fixed_atoms_stay(made):
    for system in made:
        fixed = fixed_atoms(system.initial)
        np.testing.assert_array_equal(
            system.relaxed.positions[fixed], system.initial.positions[fixed]
        )
        assert np.linalg.norm(system.relaxed.get_forces(), axis=1).max() < 0.02
        assert system.relaxed.get_potential_energy() < system.initial.get_potential_energy()


def test_tags_and_free_atoms_are_those_of_oc20(made):
    for system in made:
        tags = system.initial.get_tags()
        assert set(tags) == {SUBSURFACE, SURFACE, ADSORBATE}
        np.testing.assert_array_equal(free_atoms(system.initial), tags > SUBSURFACE)
        heights = system.initial.positions[:, 2]
        assert heights[tags == SUBSURFACE].max() < heights[tags == SURFACE].min()


def test_unseen_slabs_and_adsorbates_are_not_in_the_training_but_their_elements_are(made):
    assert not _SLABS.keys() & _UNSEEN_SLABS.keys()
    assert not set(_ADSORBATES) & set(_UNSEEN_ADSORBATES)
    known = {element for parts in _SLABS.values() for element in parts}
    assert {element for parts in _UNSEEN_SLABS.values() for element in parts} <= known
    atoms = {element for name in _UNSEEN_ADSORBATES for element in molecule(name).symbols}
    assert atoms <= {element for name in _ADSORBATES for element in Symbols.fromsymbols(name)}
    for system in made:
        assert (system.bulk in _UNSEEN_SLABS) == (system.split in ("val_ood_cat", "val_ood_both"))
        unseen = system.split in ("val_ood_ads", "val_ood_both")
        assert (system.adsorbate in _UNSEEN_ADSORBATES) == unseen
        slab = system.initial[system.initial.get_tags() != ADSORBATE]
        assert set(slab.symbols) == set((_SLABS | _UNSEEN_SLABS)[system.bulk])


def test_a_seed_gives_the_same_systems_again(made):
    for one, other in zip(made, systems(EMTSet(n_train=3, n_each=1)), strict=True):
        np.testing.assert_array_equal(one.relaxed.positions, other.relaxed.positions)
    other = next(systems(EMTSet(n_train=4, n_each=2, seed=1)))
    assert other.cluster != made[0].cluster or len(other.frames) != len(made[0].frames)
