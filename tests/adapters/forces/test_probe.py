"""A structure from a file's notes is refused where its neighbours would take gigabytes."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.build import bulk, molecule

from ltau.adapters._forces.probe import check_same_model, make_probe


def check(atoms):
    latents = np.ones((len(atoms), 2), np.float32)
    notes = {"probe": make_probe([atoms], latents, None)}
    estimator = SimpleNamespace(n_features_in_=2, notes_=notes)
    asked = []

    def model(frame):
        asked.append(frame)
        return latents

    check_same_model(estimator, atoms, model)
    return len(asked)


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("Cu"),
        bulk("C"),
        bulk("Cu", cubic=True).repeat(3),
        molecule("C60"),
        Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], cell=[3, 3, 0], pbc=[True, True, False]),
    ],
    ids=["copper", "diamond", "supercell", "molecule", "layer"],
)
def test_ordinary_structures_are_asked(atoms):
    assert check(atoms) == 1


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Cu", cell=[0.03, 5, 5], pbc=True), "at least 0.5 Å high"),
        (Atoms("Cu", cell=[[5, 0, 0], [5, 0.03, 0], [0, 0, 5]], pbc=True), "0.5 Å high"),
        (Atoms("Cu", cell=[0.03, 0, 0], pbc=[True, False, False]), "0.5 Å high"),
        (Atoms("Cu1000", np.zeros((1000, 3))), "at most 8 atoms in a cubic"),
        (Atoms("Cu1000", 5 * np.arange(3000).reshape(-1, 3), cell=[5] * 3, pbc=True), "at most 8"),
        (Atoms("Cu", [[np.nan, 0, 0]]), "finite"),
    ],
)
def test_dense_ones_are_refused_before_the_model_sees_them(atoms, message):
    with pytest.raises(ValueError, match=message):
        check(atoms)
