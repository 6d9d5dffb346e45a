"""Structures of a training, kept in a file and known again."""

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from ltau.adapters._forces.frames import (
    fingerprint,
    has_labels,
    kept_info,
    labelled_atoms,
    load_frames,
    save_frames,
)


def carbon(**changes):
    given = {"symbols": "C2", "positions": [[0, 0, 0], [1, 0, 0]], "cell": [5, 5, 5], "pbc": True}
    return Atoms(**(given | changes))


@pytest.mark.parametrize(
    "others",
    [
        [carbon(symbols="CN")],
        [carbon(positions=[[1, 0, 0], [0, 0, 0]])],
        [carbon(positions=[[0, 0, 0], [1.0001, 0, 0]])],
        [carbon(cell=[5, 5, 5.1])],
        [carbon(pbc=False)],
        [carbon(), carbon()],
        [],
    ],
)
def test_other_structures_have_another_fingerprint(others):
    assert fingerprint(others) != fingerprint([carbon()])
    assert fingerprint([carbon(positions=[[-0.0, 0, 0], [1, 0, 0]])]) == fingerprint([carbon()])


def test_frames_are_told_from_their_parts():
    """Two frames of one atom, and one frame of two."""
    one = carbon(pbc=False, cell=None)
    assert fingerprint([one]) != fingerprint([one[:1], one[1:]])


def test_labels_are_those_of_all_frames_or_of_none():
    def labelled(**labels):
        atoms = carbon()
        atoms.calc = SinglePointCalculator(atoms, **labels)
        return atoms

    assert has_labels([labelled(energy=1.0)] * 2, "energy")
    assert not has_labels([labelled(energy=1.0)] * 2, "forces")
    for lacking in (labelled(), labelled(energy=np.nan), labelled(energy=np.inf)):
        with pytest.raises(ValueError, match=r"energy of all .* 1 of 2 lack them: .* frame 1\."):
            has_labels([labelled(energy=1.0), lacking], "energy")


def test_a_file_keeps_positions_labels_and_what_tells_systems_apart(tmp_path):
    rng = np.random.default_rng(0)
    forces = rng.normal(size=(2, 3))
    atoms = labelled_atoms([6, 8], rng.normal(size=(2, 3)), None, False, {"forces": forces})
    said = {"run": "a", "number": np.int64(3), "angle": 0.5, "energy": 1.0}
    atoms.info.update(kept_info(said))
    save_frames(tmp_path / "frames.extxyz", [atoms])
    (kept,) = load_frames(tmp_path / "frames.extxyz")
    assert fingerprint([kept]) == fingerprint([atoms])
    assert kept.info == {"run": "a", "number": 3}
    np.testing.assert_allclose(kept.get_forces(), forces, atol=1e-8)
