"""Named arrays and a JSON header in one file: checked before anything in it is used.

The file is an uncompressed zip archive of ``.npy`` arrays without pickled objects, whose
numbers begin at multiples of 64 bytes so that they may be mapped into memory, a
header ``ltau.json``, and ``ltau.sha256``, which lists the SHA-256 of every other part
in the format of the command ``sha256sum``.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from mmap import ACCESS_READ
from mmap import mmap as mapped
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ltau._files.directory import parts_of
from ltau._files.limits import check_header, most_parts
from ltau._files.whole import write_whole

__all__ = ["LTAUFileError", "read", "write"]

FORMAT_VERSION = 4

_ALIGNMENT = 64  # of the numbers of an array in the file, as numpy pads its header
_LOCAL_HEADER = 30  # bytes before the name of a part
_ZIP64 = 20  # bytes of the extra field for sizes of 8 bytes, which zipfile adds
_PADDING_ID = 0xD935  # as that of the alignment of Android packages

_KINDS = "biufU"  # of arrays: bool, integers, floats and strings
_HEADER = "ltau.json"
_CHECKSUMS = "ltau.sha256"
# The header of an array as numpy writes it, and no other: numpy's reader evaluates Python.
_NPY = re.compile(
    rb"\x93NUMPY(?:\x01\0(?P<two>..)|\x02\0(?P<four>....))"
    rb"{'descr': '(?P<descr>[<>|=]?[a-zA-Z]\d{0,9})', 'fortran_order': (?P<fortran>False|True), "
    rb"'shape': \((?P<shape>(?:\d{1,19}(?:, ?|(?=\))))*)\), ?} *\n",
    re.DOTALL,
)


class LTAUFileError(ValueError):
    """A file is damaged, not ours, or newer than this version of ltau can read.

    Examples
    --------
    >>> import tempfile
    >>> from ltau import LTAUEstimator, LTAUFileError
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     try:
    ...         LTAUEstimator.load(file.name)
    ...     except LTAUFileError as error:
    ...         print(str(error).replace(file.name, "empty.ltau"))
    empty.ltau is not an ltau file, or is damaged: File is not a zip file
    """


def write(
    path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a header and arrays to `path`, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Where; an existing file is replaced once the new one is complete.
    header : mapping
        What JSON can hold.
    arrays : mapping of str to ndarray
        Arrays of numbers or strings, not of objects.

    Raises
    ------
    OSError
        If the file cannot be written; what was there stays.
    TypeError
        If the header or an array holds something else.
    ValueError
        If the header is so large, or the arrays so many, that `read` would refuse the file.
    """

    def write_archive(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            _write_parts(archive, header, arrays)

    # The file that a link leads to is replaced, not the link.
    write_whole(Path(path).resolve(), write_archive)


def read(
    path: str | os.PathLike[str], *, mmap: bool = False
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `write` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap : bool, default=False
        Whether to map the file into memory instead of reading it. It is still read
        once, for the checksums. An array that does not lie as `write` lays it is copied.

    Returns
    -------
    header : dict
        The header.
    arrays : dict of str to ndarray
        The arrays; they cannot be written to.

    Raises
    ------
    LTAUFileError
        If the file is damaged, not ours, or newer than this version can read.
    MemoryError
        If there is too little memory.
    OSError
        If the file cannot be opened or read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        # Of a device, such as one of zeros, there would be no end.
        data = mapped(file.fileno(), 0, access=ACCESS_READ) if mmap and size else file.read(size)
    try:
        return _parse(memoryview(data))
    except LTAUFileError as error:
        raise LTAUFileError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise LTAUFileError(f"{path} is not an ltau file, or is damaged: {error}") from error


# What the standard library and numpy raise on bytes that are not what they should be. Too little
# memory is no damage.
_DAMAGE = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError, struct.error)


def _write_parts(
    archive: zipfile.ZipFile, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    text = json.dumps({"format": "ltau", "version": FORMAT_VERSION, **header}, indent=1).encode()
    size = len(text) + sum(array.nbytes for array in arrays.values())  # the file will have more
    check_header(text, size)
    if len(arrays) + 2 > most_parts(size):
        raise ValueError(f"Expected at most {most_parts(size) - 2:,} arrays, got {len(arrays):,}.")
    checksums = {_HEADER: _write_part(archive, _HEADER, text)}
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"Cannot write {name}, an array of {array.dtype}.")
        part = f"{name}.npy"
        info = zipfile.ZipInfo(part)
        info.extra = _padding(archive.start_dir + _LOCAL_HEADER + len(part.encode()) + _ZIP64)
        with archive.open(info, "w", force_zip64=True) as file:
            hashing = _HashingWriter(file)
            npy.write_array(hashing, np.asarray(array, order="C"), allow_pickle=False)
        checksums[part] = hashing.sha256.hexdigest()
    listing = "".join(f"{checksum}  {part}\n" for part, checksum in checksums.items())
    _write_part(archive, _CHECKSUMS, listing.encode())


def _padding(position: int) -> bytes:
    """Make an extra field after which a part begins at a multiple of 64 bytes."""
    size = -(position + 4) % _ALIGNMENT
    return struct.pack("<HH", _PADDING_ID, size) + bytes(size)


def _write_part(archive: zipfile.ZipFile, name: str, data: bytes) -> str:
    archive.writestr(zipfile.ZipInfo(name), data)
    return hashlib.sha256(data).hexdigest()


class _HashingWriter:
    """Write to a file, and take the checksum on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self.sha256 = hashlib.sha256()
        self._file = file

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._file.write(data)


def _parse(data: memoryview) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    parts = _checked_parts(data)
    header = _parse_header(parts.pop(_HEADER), len(data))
    if header["format"] != "ltau":
        raise LTAUFileError("not an ltau file.")
    if header["version"] > FORMAT_VERSION:
        raise LTAUFileError(
            f"written in format {header['version']} by a newer ltau; this one reads formats "
            f"up to {FORMAT_VERSION}. Upgrade ltau."
        )
    return header, {name.removesuffix(".npy"): _parse_array(part) for name, part in parts.items()}


def _checked_parts(data: memoryview) -> dict[str, memoryview]:
    """Find every part whose checksum is listed; there may be no other, and all must agree."""
    found = parts_of(data, most_parts(len(data)))
    parts = {name: data[start : start + size] for name, start, size in found}
    listing = str(parts.pop(_CHECKSUMS), "utf-8")
    if listing.count("\n") > len(found):
        raise LTAUFileError("damaged: its list of checksums has more lines than there are parts.")
    checksums = (line.split("  ", 1) for line in listing.splitlines())
    expected = {name: checksum for checksum, name in checksums}
    if sorted(part.name for part in found) != sorted([*expected, _CHECKSUMS]):
        raise LTAUFileError("damaged: its parts are not those in its list of checksums.")
    for name, part in parts.items():
        if hashlib.sha256(part).hexdigest() != expected[name]:
            raise LTAUFileError(f"damaged: the checksum of {name} does not agree.")
    return parts


def _parse_header(part: memoryview, file_size: int) -> dict[str, Any]:
    """Read the header, once it is known not to become much larger in memory."""
    text = bytes(part)
    check_header(text, file_size)
    header: dict[str, Any] = json.loads(text.decode("ascii"))
    return header


def _parse_array(data: memoryview) -> NDArray[Any]:
    """View a ``.npy`` part as an array, of numbers or strings only."""
    match = _NPY.match(data)
    if match is None:
        raise LTAUFileError("not an ltau file: it holds a part that is no array of numbers.")
    size = match["two"] or match["four"]
    if match.end() != 8 + len(size) + int.from_bytes(size, "little"):
        raise LTAUFileError("not an ltau file: the header of an array has another length.")
    dtype = np.dtype(match["descr"].decode())
    if match["fortran"] == b"True" or dtype.kind not in _KINDS:
        raise LTAUFileError(f"not an ltau file: it holds an array of {dtype}.")
    shape = tuple(int(n) for n in match["shape"].replace(b",", b" ").split())
    if math.prod(max(n, 1) for n in shape) > len(data):  # such as (10**18, 0)
        raise LTAUFileError(f"not an ltau file: it holds an array of shape {shape}.")
    array = np.frombuffer(data, dtype, offset=match.end()).reshape(shape)
    return array if array.flags.aligned else array.copy()
