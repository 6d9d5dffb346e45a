"""What nequip trains on, as structures that a file keeps."""

import lzma
import tempfile
from pathlib import Path

import ase.io
import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings
from hypothesis import strategies as st
from nequip.data import from_ase
from nequip.data.dataset import ASEDataset

from ltau.adapters._forces.frames import fingerprint, load_frames, save_frames
from ltau.adapters.nequip._frames import read_frames
from ltau.adapters.nequip._state import nequip_state

LENGTHS = st.floats(-1e5, 1e5)


@st.composite
def structures(draw):
    """Structures of any shape."""
    numbers = draw(st.lists(st.integers(1, 100), min_size=1, max_size=4))
    atoms = Atoms(
        numbers,
        draw(npst.arrays(float, (len(numbers), 3), elements=LENGTHS)),
        cell=draw(npst.arrays(float, (3, 3), elements=st.floats(1, 9))),
        pbc=draw(st.tuples(st.booleans(), st.booleans(), st.booleans())),
    )
    atoms.calc = SinglePointCalculator(atoms, energy=1.5, forces=np.zeros((len(numbers), 3)))
    return atoms


@settings(max_examples=40, deadline=None)
@given(st.lists(structures(), min_size=1, max_size=3))
def test_a_file_keeps_the_fingerprint_of_what_nequip_has(drawn):
    with nequip_state():
        frames = read_frames([from_ase(atoms) for atoms in drawn])
    for atoms, original in zip(frames, drawn, strict=True):
        np.testing.assert_allclose(atoms.positions, original.positions, rtol=0, atol=5.1e-9)
        np.testing.assert_array_equal(atoms.cell, original.cell)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.extxyz"
        save_frames(path, frames)
        kept = load_frames(path)
    assert fingerprint(kept) == fingerprint(frames)
    assert [atoms.get_potential_energy() for atoms in kept] == [1.5] * len(frames)


def carbon(**changes):
    given = {"symbols": "C2", "positions": [[0, 0, 0], [1, 0, 0]], "cell": [5, 5, 5], "pbc": True}
    return Atoms(**(given | changes))


def test_info_of_a_packed_file_is_kept(tmp_path):
    frames = [carbon(info={"system": f"pair {number // 2}"}) for number in range(4)]
    ase.io.write(tmp_path / "frames.xyz", frames)
    packed = tmp_path / "frames.xyz.xz"
    packed.write_bytes(lzma.compress((tmp_path / "frames.xyz").read_bytes()))
    with nequip_state():
        found = read_frames(ASEDataset(str(packed)))
    assert [atoms.info for atoms in found] == [atoms.info for atoms in frames]
    assert fingerprint(found) == fingerprint(frames)


def test_frames_without_elements_are_refused():
    with nequip_state():
        data = from_ase(carbon())
    del data["atomic_numbers"]
    with pytest.raises(ValueError, match=r"'atomic_numbers', got .*'pos'.* in frame 0"):
        read_frames([data])
