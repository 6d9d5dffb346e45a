"""Packed files are unpacked whole; damage is told, and what the disk says is passed on."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from ltau import LTAUFileError
from ltau._files import packed
from ltau._files.packed import is_packed, unpack

PACKERS = {".bz2": bz2.compress, ".gz": gzip.compress, ".xz": lzma.compress}
CONTENT = bytes(range(256)) * 40 + "eV/Å\n".encode()


@pytest.fixture(params=PACKERS)
def path(request, tmp_path):
    path = tmp_path / f"run.xyz{request.param}"
    path.write_bytes(PACKERS[request.param](CONTENT))
    return path


@pytest.mark.parametrize("most_in_memory", [1 << 26, 100])
def test_all_is_unpacked_under_the_name_without_the_suffix(path, monkeypatch, most_in_memory):
    monkeypatch.setattr(packed, "_MOST_IN_MEMORY", most_in_memory)
    with unpack(path) as file:
        assert file.name == str(path)[: -len(path.suffix)]
        assert file.read() == CONTENT
        file.seek(10)
        assert file.read(5) == CONTENT[10:15]


def test_parts_that_follow_each_other_are_all_unpacked(path):
    path.write_bytes(2 * path.read_bytes())
    with unpack(path) as file:
        assert file.read() == 2 * CONTENT


def test_what_is_cut_short_or_damaged_is_refused(path):
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for damaged in (whole[:-5], whole[:middle], b"noise" * 9, flipped):
        path.write_bytes(damaged)
        with pytest.raises(LTAUFileError, match=f"{path.name} is damaged, and cannot be unpacked"):
            unpack(path)


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.gz"):
        unpack(tmp_path / "missing.gz")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.xyz.xz", True), ("a.gz", True), ("a.bz2", True), ("a.xyz", False), ("gz", False)],
)
def test_the_name_says_whether_a_file_is_packed(name, expected):
    assert is_packed(Path(name)) == expected
