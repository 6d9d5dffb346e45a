"""The bytes of an epoch's file: the errors as ``.npy``, then the checksums of their blocks.

A checksum is the BLAKE2b, of 16 bytes, of a block of errors, salted with the run and made
for the epoch and the block's first sample: an epoch of another run or with another number
does not fit, nor does a block in another place. Logs of the first format have no checksums.
"""

from __future__ import annotations

import hashlib
import struct
import tokenize
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ltau.log._bits import ON_DISK, Bits, pack, unpack

__all__ = ["BLOCK", "Layout"]

BLOCK = 1 << 13  # samples of which there is a checksum: 32 KiB, or 16

_SIZE = 16  # bytes of a checksum

# What numpy, and ast.literal_eval under it, raise on a header that is none.
_NO_HEADER = (
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)

Floats = NDArray[np.float32]


class Layout(NamedTuple):
    """What all epochs of a log have in common."""

    n_samples: int
    run: bytes | None  # 16 bytes; without a run, no checksums
    bits: Bits  # of an error

    def parts(self, errors: Floats, epoch: int) -> Iterator[Any]:
        """Give the bytes of an epoch's file, one after the other."""
        yield self._header()
        values = pack(errors, self.bits)
        yield values.data
        if self.run is not None:
            for start in range(0, self.n_samples, BLOCK):
                yield _checksum(values[start : start + BLOCK], epoch, start, self.run)

    def read_blocks(self, file: IO[bytes], blocks: Iterable[int], epoch: int) -> Iterator[Floats]:
        """Read some blocks of an epoch's errors.

        Raises ValueError if the file is not what `parts` gives, as far as it is read.
        """
        start = self._start(file)
        dtype = ON_DISK[self.bits]
        end = start + self.n_samples * dtype.itemsize
        n_checksums = 0 if self.run is None else -(-self.n_samples // BLOCK)
        size = file.seek(0, 2)
        if size != end + n_checksums * _SIZE:
            raise ValueError(f"expected {end + n_checksums * _SIZE} bytes, got {size}")
        file.seek(end)
        checksums = file.read()
        for block in blocks:
            first = block * BLOCK
            values = np.empty(min(BLOCK, self.n_samples - first), dtype)
            file.seek(start + first * dtype.itemsize)
            if file.readinto(values.data) != values.nbytes:  # type: ignore[attr-defined]
                raise ValueError("it became shorter while it was read")
            if self.run is not None:
                expected = checksums[block * _SIZE : (block + 1) * _SIZE]
                if _checksum(values, epoch, first, self.run) != expected:
                    raise ValueError(
                        f"the checksum of samples {first} to {first + len(values) - 1} does not "
                        f"fit; or this is not epoch {epoch} of this log's run"
                    )
            yield unpack(values)

    def _start(self, file: IO[bytes]) -> int:
        """Check the header of an epoch's file, and say where the errors begin."""
        if self.run is None:
            return _end_of_header(file, self.n_samples)
        header = self._header()
        if file.read(len(header)) != header:
            raise ValueError(f"expected the header of {self.n_samples} errors of {self.bits} bits")
        return len(header)

    def _header(self) -> bytes:
        """Make the header of a ``.npy`` file, the same with every numpy."""
        descr = ON_DISK[self.bits].str
        described = (
            f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': ({self.n_samples},), }}"
        )
        return b"\x93NUMPY\x01\x00\x76\x00" + described.ljust(117).encode() + b"\n"


def _end_of_header(file: IO[bytes], n_samples: int) -> int:
    """Find where the errors begin in a file that numpy wrote, of those that it should hold."""
    try:
        if npy.read_magic(file) != (1, 0):
            raise ValueError("expected format 1.0 of npy")
        shape, _, dtype = npy.read_array_header_1_0(file)
    except _NO_HEADER as error:
        raise ValueError(str(error)) from error
    if shape != (n_samples,) or dtype != ON_DISK[32]:
        raise ValueError(f"expected shape ({n_samples},), {ON_DISK[32]}, got {shape}, {dtype}")
    return file.tell()


def _checksum(values: NDArray[Any], epoch: int, start: int, run: bytes) -> bytes:
    place = struct.pack("<QQ", epoch, start)
    return hashlib.blake2b(
        values.data, digest_size=_SIZE, salt=run, person=place, usedforsecurity=False
    ).digest()
