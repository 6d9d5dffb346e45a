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

__all__ = ["BLOCK", "Layout"]

BLOCK = 1 << 13  # samples of which there is a checksum: 32 KiB

_DTYPE = np.dtype("<f4")  # on disk, on any machine
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

    def parts(self, errors: Floats, epoch: int) -> Iterator[Any]:
        """Give the bytes of an epoch's file, one after the other."""
        yield _header(self.n_samples)
        values = np.ascontiguousarray(errors, _DTYPE)
        yield values.data
        if self.run is not None:
            for start in range(0, self.n_samples, BLOCK):
                yield _checksum(values[start : start + BLOCK], epoch, start, self.run)

    def read_blocks(self, file: IO[bytes], blocks: Iterable[int], epoch: int) -> Iterator[Floats]:
        """Read some blocks of an epoch's errors.

        Raises ValueError if the file is not what `parts` gives, as far as it is read.
        """
        start = self._start(file)
        end = start + self.n_samples * _DTYPE.itemsize
        n_checksums = 0 if self.run is None else -(-self.n_samples // BLOCK)
        size = file.seek(0, 2)
        if size != end + n_checksums * _SIZE:
            raise ValueError(f"expected {end + n_checksums * _SIZE} bytes, got {size}")
        file.seek(end)
        checksums = file.read()
        for block in blocks:
            first = block * BLOCK
            values = np.empty(min(BLOCK, self.n_samples - first), _DTYPE)
            file.seek(start + first * _DTYPE.itemsize)
            if file.readinto(values.data) != values.nbytes:  # type: ignore[attr-defined]
                raise ValueError("it became shorter while it was read")
            if self.run is not None:
                expected = checksums[block * _SIZE : (block + 1) * _SIZE]
                if _checksum(values, epoch, first, self.run) != expected:
                    raise ValueError(
                        f"the checksum of samples {first} to {first + len(values) - 1} does not "
                        f"fit; or this is not epoch {epoch} of this log's run"
                    )
            yield values

    def _start(self, file: IO[bytes]) -> int:
        """Check the header of an epoch's file, and say where the errors begin."""
        if self.run is None:
            return _end_of_header(file, self.n_samples)
        header = _header(self.n_samples)
        if file.read(len(header)) != header:
            raise ValueError(f"expected the header of {self.n_samples} errors in float32")
        return len(header)


def _header(n_samples: int) -> bytes:
    """Make the header of a ``.npy`` file, the same with every numpy."""
    described = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_samples},), }}"
    return b"\x93NUMPY\x01\x00\x76\x00" + described.ljust(117).encode() + b"\n"


def _end_of_header(file: IO[bytes], n_samples: int) -> int:
    """Find where the errors begin in a file that numpy wrote, of those that it should hold."""
    try:
        if npy.read_magic(file) != (1, 0):
            raise ValueError("expected format 1.0 of npy")
        shape, _, dtype = npy.read_array_header_1_0(file)
    except _NO_HEADER as error:
        raise ValueError(str(error)) from error
    if shape != (n_samples,) or dtype != _DTYPE:
        raise ValueError(f"expected shape ({n_samples},), {_DTYPE}, got {shape}, {dtype}")
    return file.tell()


def _checksum(values: Floats, epoch: int, start: int, run: bytes) -> bytes:
    place = struct.pack("<QQ", epoch, start)
    return hashlib.blake2b(
        values.data, digest_size=_SIZE, salt=run, person=place, usedforsecurity=False
    ).digest()
