"""The numbers of a tensor, as `torch.save` wrote them before it wrote zip archives.

Pickles of tensors hold their storage in this form. It is read here and not by torch, whose reader
believes what a file says of sizes: four pickles (a magic number, the version, the machine, and
what is stored), the list of keys, and of each key the number of values and their bytes.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.is2rs.sources.pickles import load
from benchmarks.is2rs.sources.systems import DataError

__all__ = ["read_storage"]

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_MOST_OPCODES = 1000  # of each pickle; those of torch have some thirty
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_ADMITTED = {("torch", name): np.dtype(code) for name, code in _DTYPES.items()}


def read_storage(data: bytes) -> NDArray[Any]:
    """Read the values of a storage.

    Parameters
    ----------
    data : bytes
        What ``torch.save(storage, file, _use_new_zipfile_serialization=False)`` writes.

    Returns
    -------
    ndarray of shape (n,)
        The values; they lie in `data`, and there are no more than it holds.

    Raises
    ------
    DataError
        If they are damaged, or anything else than a storage on its own.
    """
    found, place = [], 0
    for _ in range(5):
        value, place = load(data, _ADMITTED, _MOST_OPCODES, place, persistent=_Saved)
        found.append(value)
    magic, version, machine, saved, keys = found
    if (magic, version) != (_MAGIC, _VERSION) or not isinstance(saved, _Saved):
        raise DataError("expected a storage as torch saves it")
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise DataError("expected numbers in little-endian order")
    if keys != [saved.key] or place + 8 > len(data):
        raise DataError("expected one storage")
    n_bytes = saved.n * saved.dtype.itemsize
    if struct.unpack_from("<q", data, place)[0] != saved.n or len(data) != place + 8 + n_bytes:
        raise DataError(f"expected the {saved.n} values that a storage says to have")
    return np.frombuffer(data, saved.dtype, offset=place + 8)


class _Saved:
    """What the pickle says of the storage."""

    def __init__(self, said: Any) -> None:
        kind, self.dtype, self.key, _, self.n, view = said
        if kind != "storage" or type(self.key) is not str or view is not None:
            raise DataError("expected a storage of its own")
        if not isinstance(self.dtype, np.dtype) or type(self.n) is not int or self.n < 0:
            raise DataError("expected a storage of a number of numbers")
