"""Where the parts of a zip archive lie: read strictly, at a cost that the file's size bounds."""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["DirectoryError", "Part", "parts_of"]

_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_END_SIZE, _END_64_SIZE, _LOCATOR_64_SIZE = 22, 56, 20
_ENTRY_SIZE, _LOCAL_SIZE = 46, 30
_ELSEWHERE = 0xFFFFFFFF  # a number that is too large, and stands in an extra field
_ZIP64_FIELD = 1


class DirectoryError(ValueError):
    """The directory of an archive is not such."""


class Part(NamedTuple):
    """A part of an archive, by its name and where its bytes lie."""

    name: str
    start: int
    size: int


def parts_of(data: memoryview, most: int) -> list[Part]:
    """Find the parts of an archive: uncompressed, one after the other, none twice in the file.

    Python's `zipfile` makes some 600 bytes of each entry of 46, before any can be refused.

    Parameters
    ----------
    data : memoryview
        The whole file.
    most : int
        How many parts there may be.

    Returns
    -------
    list of Part
        The parts, in the order of the directory.

    Raises
    ------
    DirectoryError
        If there is no directory, or parts are compressed, overlap or are more than `most`.
    struct.error
        If it ends too early.
    """
    count, start, end = _directory(data)
    if count > most:
        raise DirectoryError(f"expected at most {most:,} parts, got {count:,}")
    parts: list[Part] = []
    place, taken = start, 0
    for _ in range(count):
        part, offset, place = _entry(data, place)
        if offset < taken or part.start + part.size > start:
            raise DirectoryError(f"the part {part.name[:80]!r} overlaps another, or its end is cut")
        taken = part.start + part.size
        parts.append(part)
    if place != end:
        raise DirectoryError("its directory does not end where it should")
    return parts


def _directory(data: memoryview) -> tuple[int, int, int]:
    """Give the number of entries, and where they begin and end."""
    last = len(data) - _END_SIZE
    if last < 0 or data[last : last + 4] != _END or bytes(data[-2:]) != b"\0\0":
        raise DirectoryError("File is not a zip file")
    count, size, start = struct.unpack_from("<HII", data, last + 10)
    end = last
    locator = last - _LOCATOR_64_SIZE
    if locator >= 0 and data[locator : locator + 4] == _LOCATOR_64:
        end = struct.unpack_from("<Q", data, locator + 8)[0]
        if end + _END_64_SIZE != locator or data[end : end + 4] != _END_64:
            raise DirectoryError("its directory does not end where it should")
        count, size, start = struct.unpack_from("<QQQ", data, end + 32)
    if start + size != end:
        raise DirectoryError("its directory is not where it should be")
    return count, start, end


def _entry(data: memoryview, place: int) -> tuple[Part, int, int]:
    """Read an entry: its part, where the header of that begins, and where the entry ends."""
    if data[place : place + 4] != _ENTRY:
        raise DirectoryError("an entry of its directory is none")
    method, packed, size, n_name, n_extra, n_comment, offset = struct.unpack_from(
        "<10xH8xIIHHH8xI", data, place
    )
    after_name = place + _ENTRY_SIZE + n_name
    name = str(data[place + _ENTRY_SIZE : after_name], "utf-8")
    extra = data[after_name : after_name + n_extra]
    size, packed, offset = _in_full(extra, [size, packed, offset])
    if method != 0 or packed != size:
        raise DirectoryError(f"the part {name[:80]!r} is compressed")
    if data[offset : offset + 4] != _LOCAL:
        raise DirectoryError(f"the part {name[:80]!r} is not where it should be")
    n_name, n_extra = struct.unpack_from("<HH", data, offset + _LOCAL_SIZE - 4)
    start = offset + _LOCAL_SIZE + n_name + n_extra
    return Part(name, start, size), offset, after_name + len(extra) + n_comment


def _in_full(extra: memoryview, numbers: list[int]) -> list[int]:
    """Replace the numbers that are too large for 4 bytes by those of the extra field."""
    if _ELSEWHERE not in numbers:
        return numbers
    place = 0
    while place < len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        if kind == _ZIP64_FIELD:
            long = iter(struct.unpack_from(f"<{size // 8}Q", extra, place + 4))
            return [next(long, n) if n == _ELSEWHERE else n for n in numbers]
        place += 4 + size
    raise DirectoryError("a size in its directory is missing")
