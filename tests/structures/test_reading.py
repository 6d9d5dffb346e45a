"""Structures are those that ASE reads, from packed files too."""

import bz2
import gzip
import lzma

import pytest

pytest.importorskip("ase")

import ase.io
from ase.build import molecule

from ltau import LTAUFileError
from ltau.structures import iread

PACKERS = {".bz2": bz2.compress, ".gz": gzip.compress, ".xz": lzma.compress}
DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0 5
0 5
0 5
ITEM: ATOMS id type x y z
1 1 0 0 {}
2 1 1 1 1
"""


@pytest.fixture
def frames():
    frames = [molecule(name) for name in ("H2O", "CH4", "CO2", "NH3")]
    for number, atoms in enumerate(frames):
        atoms.center(3)
        atoms.pbc = True
        atoms.info["number"] = number
    return frames


@pytest.fixture(params=PACKERS)
def packed(request):
    """Pack a file beside itself."""

    def pack(path):
        beside = path.with_name(path.name + request.param)
        beside.write_bytes(PACKERS[request.param](path.read_bytes()))
        return beside

    return pack


@pytest.mark.parametrize("name", ["a.xyz", "a.extxyz", "a.traj", "a.json", "a.cif", "a.pdb"])
def test_every_format_gives_what_the_plain_file_gives(tmp_path, frames, packed, name):
    path = tmp_path / name
    ase.io.write(path, frames)
    expected = ase.io.read(path, ":")
    assert len(expected) == 4
    for file in (path, packed(path), str(packed(path))):
        assert list(iread(file)) == expected
    assert list(iread(packed(path))) == ase.io.read(packed(path), ":")


def test_readers_that_look_at_the_name_find_it(tmp_path, packed):
    path = tmp_path / "dump.lammpstrj"
    path.write_text("".join(map(DUMP.format, range(3))))
    expected = ase.io.read(path, ":", format="lammps-dump-text")
    assert list(iread(packed(path), format="lammps-dump-text")) == expected


@pytest.mark.parametrize("index", [None, ":", "::2", "1:3", slice(-2, None), 0, 2, -1])
def test_indices_are_those_of_ase(tmp_path, frames, packed, index):
    path = tmp_path / "run.xyz"
    ase.io.write(path, frames)
    expected = list(ase.io.iread(path, index))
    assert 1 <= len(expected) <= 4
    assert list(iread(path, index)) == expected
    assert list(iread(packed(path), index)) == expected


def test_an_index_may_follow_the_name(tmp_path, frames, packed):
    path = tmp_path / "run.xyz"
    ase.io.write(path, frames)
    for file in (path, packed(path)):
        assert [atoms.info["number"] for atoms in iread(f"{file}@1:3")] == [1, 2]
        assert [atoms.info["number"] for atoms in iread(f"{file}@::2")] == [0, 2]
    odd = path.rename(tmp_path / "run@1.xyz")
    for file in (odd, packed(odd)):
        assert len(list(iread(file, do_not_split_by_at_sign=True))) == 4


def test_options_reach_ase(tmp_path, frames, packed):
    path = tmp_path / "run.xyz"
    ase.io.write(path, frames)
    [given] = iread(packed(path), 1, parallel=False, full_output=True)
    assert given["atoms"] == ase.io.read(path, 1)


def test_a_packed_file_that_is_damaged_is_named(tmp_path, frames, packed):
    path = tmp_path / "run.xyz"
    ase.io.write(path, frames)
    path = packed(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LTAUFileError, match=rf"run\.xyz\{path.suffix} is damaged"):
        next(iread(path))


def test_formats_that_need_a_file_of_their_own_are_refused(tmp_path, frames, packed):
    path = tmp_path / "run.db"
    ase.io.write(path, frames)
    assert len(list(iread(path))) == 4
    with pytest.raises(ValueError, match=r"not packed of format 'db', got .*run\.db"):
        next(iread(packed(path)))


def test_a_missing_file_is_named(tmp_path):
    for name in ("missing.xyz", "missing.xyz.xz"):
        with pytest.raises(FileNotFoundError, match=name):
            next(iread(tmp_path / name))
