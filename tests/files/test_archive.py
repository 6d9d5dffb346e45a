"""Files are read back exactly or refused: whole files, damaged files, forged files."""

import hashlib
import io as bytes_io
import json
import mmap
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ltau import LTAUEstimator, LTAUFileError
from ltau._files import archive

HEADER = {"estimator": "some", "params": {"k": 3, "name": "Δ", "none": None}}
ARRAYS = {
    "weights": np.array([[1.5, -2.0, np.nan], [np.inf, 0.0, 5e-324]]),
    "part.counts": np.array([0, 255], np.uint8),
    "scalar": np.array(7),
    "word": np.array("flat"),
    "words": np.array(["H", "Ωμέγα"]),
}


def assert_same(read, header=HEADER, arrays=ARRAYS):
    """Assert that `archive.read` gave the same header and the same bits."""
    read_header, read_arrays = read
    assert read_header == {"format": "ltau", "version": archive.FORMAT_VERSION} | header
    assert read_arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read_arrays[name], array, strict=True)


def npy(array, allow_pickle=False):
    file = bytes_io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def good_parts():
    header = {"format": "ltau", "version": archive.FORMAT_VERSION} | HEADER
    arrays = {f"{name}.npy": npy(array) for name, array in ARRAYS.items()}
    return {"ltau.json": json.dumps(header).encode()} | arrays


def listing_of(parts):
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in parts.items())


def pack(path, parts, listing=None, compression=zipfile.ZIP_STORED):
    """Write any parts with checksums that agree: the format, written a second time."""
    listing = listing_of(parts) if listing is None else listing
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, data in (parts | {"ltau.sha256": listing.encode()}).items():
            packed.writestr(name, data)


# What is written is read.


def test_a_header_and_arrays_come_back(path):
    archive.write(path, HEADER, ARRAYS)
    assert_same(archive.read(path))
    archive.write(str(path), {}, {})
    assert_same(archive.read(str(path)), {}, {})


def test_a_file_packed_independently_is_read(path):
    pack(path, good_parts())
    assert_same(archive.read(path))


@given(
    hnp.arrays(
        st.one_of(
            hnp.boolean_dtypes(),
            hnp.integer_dtypes(endianness="?"),
            hnp.unsigned_integer_dtypes(endianness="?"),
            hnp.floating_dtypes(endianness="?"),
            hnp.unicode_string_dtypes(endianness="?", max_len=5),
        ),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
@settings(deadline=None, max_examples=100)
def test_arrays_of_any_type_and_shape_come_back(tmp_path_factory, array):
    path = tmp_path_factory.getbasetemp() / "array.ltau"
    archive.write(path, {}, {"array": array})
    assert_same(archive.read(path), {}, {"array": array})


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(4, 6)[::2, ::-3],
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.broadcast_to(np.float32(1.5), (3, 2)),
        np.arange(300_000),  # more than numpy writes at once
    ],
    ids=["strided", "fortran", "broadcast", "large"],
)
def test_arrays_of_any_memory_layout_come_back(path, array):
    archive.write(path, {}, {"array": array})
    assert_same(archive.read(path), {}, {"array": array})


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.array([1, "a", None], dtype=object),
        np.array([1 + 2j]),
        np.array([b"bytes"]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(2, [("a", int), ("b", float)]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array_that_could_not_be_read_is_not_written(path, array):
    with pytest.raises((TypeError, ValueError)):
        archive.write(path, {}, {"array": array})
    assert not path.exists()


def test_arrays_read_cannot_be_written_to(path):
    archive.write(path, {}, {"array": np.zeros(3)})
    with pytest.raises(ValueError, match="read-only"):
        archive.read(path)[1]["array"][0] = 1.0


def test_a_mapped_file_gives_the_same_arrays(path):
    archive.write(path, HEADER, ARRAYS)
    assert_same(archive.read(path, mmap=True))
    pack(path, good_parts())  # not aligned
    assert_same(archive.read(path, mmap=True))


@pytest.mark.parametrize("name", ["a", "ab" * 20, "Δ" * 7])
def test_mapped_arrays_lie_in_the_file_at_multiples_of_64_bytes(path, name):
    archive.write(path, {"some": "x" * len(name)}, {name: np.arange(5.0), "b": np.arange(7)})
    _, arrays = archive.read(path, mmap=True)
    for array in arrays.values():
        assert array.ctypes.data % 64 == 0
        assert isinstance(array.base.base.obj, mmap.mmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_mapping_takes_no_memory_for_the_arrays(path, peak_of):
    archive.write(path, {}, {"large": np.zeros(1 << 20)})
    (_, arrays), peak = peak_of(archive.read, path, mmap=True)
    assert arrays["large"].nbytes == 8 << 20
    assert peak < 1 << 19


def test_a_mapped_file_is_checked(path):
    archive.write(path, {}, {"array": np.arange(100)})
    data = bytearray(path.read_bytes())
    data[data.index(np.arange(100).tobytes()) + 8] ^= 1
    path.write_bytes(data)
    with pytest.raises(LTAUFileError, match=r"checksum of array\.npy does not agree"):
        archive.read(path, mmap=True)
    path.write_bytes(b"")
    with pytest.raises(LTAUFileError, match="not an ltau file"):
        archive.read(path, mmap=True)


def test_the_file_holds_arrays_json_and_checksums_and_no_pickle(path):
    archive.write(path, HEADER, ARRAYS)
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        parts = {name: packed.read(name) for name in packed.namelist()}
        assert {info.compress_type for info in packed.infolist()} == {zipfile.ZIP_STORED}
    listing = parts.pop("ltau.sha256").decode()
    assert parts.keys() == {"ltau.json"} | {f"{name}.npy" for name in ARRAYS}
    assert json.loads(parts["ltau.json"])["version"] == archive.FORMAT_VERSION
    for name, array in ARRAYS.items():
        loaded = np.load(bytes_io.BytesIO(parts[f"{name}.npy"]), allow_pickle=False)
        np.testing.assert_array_equal(loaded, array, strict=True)
    # As `sha256sum --check` reads it.
    assert sorted(listing.splitlines()) == sorted(listing_of(parts).splitlines())


def test_the_same_content_makes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        archive.write(tmp_path / name, HEADER, ARRAYS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# Whole or not at all.


@pytest.fixture
def old(path):
    """A file that is there already."""
    archive.write(path, HEADER, ARRAYS)
    return path


def assert_untouched(old):
    assert_same(archive.read(old))
    assert os.listdir(old.parent) == [old.name]  # nor is a temporary file left


def test_a_link_keeps_leading_to_the_file(old, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(old)
    archive.write(link, {"new": 1}, {})
    assert link.is_symlink()
    assert_same(archive.read(old), {"new": 1}, {})


def test_parts_that_overlap_are_refused(path):
    # One stored part under many names: a small file that would be read many times over.
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("part.npy", npy(np.zeros(1000)))
        first = packed.infolist()[0]
        for number in range(100):
            twin = zipfile.ZipInfo(f"part{number}.npy")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, name, getattr(first, name))
            packed.filelist.append(twin)
    with pytest.raises(LTAUFileError, match="overlap"):
        archive.read(path)


@pytest.mark.parametrize("name", ["", ".", "n" * 250])
def test_odd_paths(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if len(name) > 1:
        archive.write(name, {}, {})
        assert_same(archive.read(name), {}, {})
    else:
        with pytest.raises(IsADirectoryError, match="Cannot write"):
            archive.write(name, {}, {})


def test_a_file_is_replaced(old):
    archive.write(old, {"new": 1}, {})
    assert_same(archive.read(old), {"new": 1}, {})
    assert os.listdir(old.parent) == [old.name]


@pytest.mark.parametrize(
    ("header", "arrays", "error"),
    [
        ({"what": object()}, {}, TypeError),
        ({}, {"objects": np.array([object()])}, TypeError),
        ({}, {"first": np.zeros(1000), "objects": np.array([object()])}, TypeError),
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(old, header, arrays, error):
    with pytest.raises(error):
        archive.write(old, header, arrays)
    assert_untouched(old)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_cut_short_leaves_the_old_file(old, monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)) as caught:
        archive.write(old, {}, {})
    if isinstance(error, OSError):
        assert caught.value.errno == error.errno
        assert caught.value.filename == str(old)
    assert_untouched(old)


def test_the_error_names_the_path_asked_for(old):
    directory = old.parent
    for target, kind in [
        (directory / "missing" / "model.ltau", FileNotFoundError),
        (old / "model.ltau", NotADirectoryError),
        (directory, IsADirectoryError),
    ]:
        with pytest.raises(kind) as caught:
            archive.write(target, {}, {})
        assert caught.value.filename == str(target)
        assert str(target) in str(caught.value)
        assert ".tmp" not in str(caught.value)
        assert_untouched(old)
    assert not list(directory.parent.glob("*.tmp"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission(old):
    old.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            archive.write(old, {}, {})
    finally:
        old.parent.chmod(0o700)
    assert caught.value.filename == str(old)
    assert_untouched(old)


@pytest.mark.skipif(os.name != "posix", reason="of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_permissions_are_those_of_any_new_file(path, umask):
    before = os.umask(umask)
    try:
        archive.write(path, {}, {})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


# Damage.


@pytest.fixture
def small(path):
    arrays = {"a": np.arange(3, dtype=np.float32), "b": np.array("x")}
    header = {"k": 1}
    archive.write(path, header, arrays)
    return path, header, arrays


def test_a_file_cut_short_at_any_length_is_refused(small):
    path, _, _ = small
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(LTAUFileError):
            archive.read(path)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flip_in_any_byte_is_refused_or_makes_no_difference(small, mask):
    path, header, arrays = small
    whole = path.read_bytes()
    n_refused = 0
    for place, byte in enumerate(whole):
        path.write_bytes(whole[:place] + bytes([byte ^ mask]) + whole[place + 1 :])
        try:
            read = archive.read(path)
        except LTAUFileError:
            n_refused += 1
        else:
            assert_same(read, header, arrays)  # of the zip format only: dates, attributes
    assert n_refused > len(whole) / 2


def test_data_flipped_under_a_valid_crc_is_refused(path):
    parts = good_parts()
    listing = listing_of(parts)
    parts["weights.npy"] = parts["weights.npy"][:-1] + b"!"
    pack(path, parts, listing)
    with pytest.raises(LTAUFileError, match=r"checksum of weights\.npy"):
        archive.read(path)


def test_an_extra_part_is_refused(path):
    parts = good_parts()
    pack(path, parts | {"extra.npy": npy(np.zeros(1))}, listing_of(parts))
    with pytest.raises(LTAUFileError, match="parts are not those"):
        archive.read(path)


@pytest.mark.parametrize("name", ["weights.npy", "ltau.json"])
def test_a_missing_part_is_refused(path, name):
    parts = good_parts()
    listing = listing_of(parts)
    del parts[name]
    pack(path, parts, listing)
    with pytest.raises(LTAUFileError, match="parts are not those"):
        archive.read(path)


def test_a_part_that_is_there_twice_is_refused(path):
    parts = good_parts()
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in (parts | {"ltau.sha256": listing_of(parts).encode()}).items():
            packed.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("weights.npy", parts["weights.npy"])
    with pytest.raises(LTAUFileError, match="parts are not those"):
        archive.read(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_compressed_part_is_refused_unread(path, compression):
    bomb = {"zeros.npy": npy(np.zeros(10_000_000, np.uint8))}
    pack(path, good_parts() | bomb, compression=compression)
    assert path.stat().st_size < 50_000
    with pytest.raises(LTAUFileError, match="compressed"):
        archive.read(path)
    pack(path, good_parts(), compression=compression)  # nor where it would do no harm
    with pytest.raises(LTAUFileError, match="compressed"):
        archive.read(path)


# Forgery: the checksums agree, and the content is not what it should be.


def test_a_newer_version_is_refused_with_advice(path):
    newer = {"format": "ltau", "version": archive.FORMAT_VERSION + 1, "shape_of_things": "to come"}
    pack(path, good_parts() | {"ltau.json": json.dumps(newer).encode()})
    refusal = rf"model\.ltau: written in format {archive.FORMAT_VERSION + 1} .* Upgrade ltau"
    with pytest.raises(LTAUFileError, match=refusal):
        archive.read(path)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"[]",
        b"null",
        b"3",
        b"{}",
        b'{"format": "ltau"}',
        b'{"version": 1}',
        b'{"format": "other", "version": 1}',
        b'{"format": "ltau", "version": "1"}',
        b'{"format": "ltau", "version": null}',
        b'{"format": "ltau", "version": [1]}',
        b"[" * 100_000,
    ],
    ids=lambda header: header[:40].decode(errors="replace"),
)
def test_a_header_of_another_kind_is_refused(path, header):
    pack(path, good_parts() | {"ltau.json": header})
    with pytest.raises(LTAUFileError):
        archive.read(path)


def npy_with(description, data=b""):
    """A .npy part whose header says what it likes."""
    text = description.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"text",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x93NUMPY\x09\x09\x00\x00",
        npy(np.zeros(3))[:-1],
        npy(np.zeros(3)) + b"more",
        npy(np.asfortranarray(np.eye(3)[:, :2])),
        npy(np.array([1j])),
        npy(np.zeros(2, [("a", int)])),
        npy_with("{"),
        npy_with("3"),
        npy_with("(" * 5000),
        npy_with("{'descr': '<f8', 'fortran_order': False}"),
        npy_with("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,)}", bytes(8)),
        npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (10**9,)}", bytes(8)),
        npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (1e9,)}", bytes(8)),
        npy_with(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**70},)}}", bytes(8)),
        npy_with(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**62}, 4)}}"),
        npy_with("{'descr': '<U0', 'fortran_order': False, 'shape': (3,)}"),
        npy_with("{'descr': '<U999999999', 'fortran_order': False, 'shape': (1,)}"),
    ],
)
def test_a_part_that_is_no_array_is_refused(path, part):
    pack(path, good_parts() | {"weights.npy": part})
    with pytest.raises(LTAUFileError):
        archive.read(path)


def test_a_part_of_another_name_is_refused(path):
    pack(path, good_parts() | {"notes.txt": b"hello"})
    with pytest.raises(LTAUFileError):
        archive.read(path)


class _Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_nothing_is_unpickled(path, tmp_path):
    mark = tmp_path / "mark"
    objects = npy(np.array([_Trap(mark)], dtype=object), allow_pickle=True)
    pack(path, good_parts() | {"weights.npy": objects})
    with pytest.raises(LTAUFileError, match="array of object"):
        archive.read(path)
    path.write_bytes(pickle.dumps(_Trap(mark)))
    with pytest.raises(LTAUFileError):
        archive.read(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # and the trap would have worked
    assert mark.exists()


def write_npz(path):
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def write_zip(path):
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("hello.txt", "hello")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("some text\n" * 100),
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(10_000)),
        lambda path: zipfile.ZipFile(path, "w").close(),
        write_zip,
        write_npz,
        lambda path: path.write_bytes(npy(np.zeros(3))),
        lambda path: path.write_bytes(pickle.dumps({"a": 1})),
        lambda path: pack(path, {}),
        lambda path: pack(path, good_parts(), listing=""),
        lambda path: pack(path, good_parts(), listing="no listing\nat all"),
        lambda path: pack(path, good_parts(), listing="\udcff".encode(errors="replace").decode()),
    ],
    ids=[
        *["empty", "text", "noise", "empty zip", "zip", "npz", "npy", "pickle", "no parts"],
        *["empty listing", "text for a listing", "short listing"],
    ],
)
def test_a_foreign_file_is_refused_by_its_name(path, make):
    make(path)
    with pytest.raises(LTAUFileError, match=r"model\.ltau"):
        archive.read(path)
    with pytest.raises(LTAUFileError, match=r"model\.ltau"):
        LTAUEstimator.load(path)


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        archive.read(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        LTAUEstimator.load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        archive.read(tmp_path)
