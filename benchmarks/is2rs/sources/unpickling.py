"""Pickles of OC20, read without trust: nothing that they ask for is imported or run.

Whatever a pickle asks for is looked up in a table of stand-ins, which keep what they are given and
do nothing else; what is not in the table is refused. What it may take to read is limited, see
`pickles`, and of tensors no more is read than their bytes.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.is2rs.sources.pickles import load
from benchmarks.is2rs.sources.storages import read_storage
from benchmarks.is2rs.sources.systems import DataError

__all__ = ["Tensor", "read_builtins", "read_record"]

_MOST_OPCODES = 10**5  # of a record; those of OC20 have a few hundred
_MOST_OF_MAPPING = 10**9


class _StandIn:
    """In place of a class or a function. That it has `__setstate__` keeps a pickle from any other.

    Without it, the BUILD opcode would set attributes, even of the class itself.
    """

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a state where there is none")


class _State(_StandIn):
    """In place of the classes of torch_geometric: whatever state they had."""

    __slots__ = ("state",)

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Storage(_StandIn):
    """In place of `torch.storage._load_from_bytes`: what `torch.save` has made of a storage."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Tensor(_StandIn):
    """In place of `torch._utils._rebuild_tensor_v2`: a tensor that is read when it is wanted.

    Most of a record is a graph that nobody here wants.
    """

    __slots__ = ("offset", "size", "storage", "stride")

    def __init__(
        self,
        storage: _Storage,
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        *_: object,
    ) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def read(self) -> NDArray[Any]:
        """Read the values; a DataError says what is wrong with them."""
        try:
            if not isinstance(self.storage, _Storage) or not isinstance(self.storage.data, bytes):
                raise TypeError("no storage")
            return self._view(read_storage(self.storage.data))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise DataError(f"a tensor that cannot be read: {error}") from error

    def _view(self, values: NDArray[Any]) -> NDArray[Any]:
        size, stride = self.size, self.stride
        if not all(type(n) is int for n in (self.offset, *size, *stride)):
            raise TypeError("offset, size or strides that are no integers")
        if min((self.offset, *size, *stride)) < 0 or len(size) != len(stride):
            raise ValueError(f"size {size}, strides {stride}")
        if 0 in size:
            return np.empty(size, values.dtype)
        end = self.offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
        if max(end, math.prod(size)) > len(values):
            raise ValueError(f"size {size} of {len(values)} values")
        strides = [step * values.itemsize for step in stride]
        start = values[self.offset :]
        return np.lib.stride_tricks.as_strided(start, size, strides).copy()


class _Dtype(_StandIn):
    """In place of `numpy.dtype`: of a number."""

    __slots__ = ("dtype",)

    def __init__(self, name: str, *_: object) -> None:
        if type(name) is not str or name not in ("f8", "f4", "i8", "i4", "b1"):
            raise pickle.UnpicklingError("another dtype of numpy")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Scalar(_StandIn):
    """In place of `numpy.core.multiarray.scalar`: a number, as Python's own."""

    def __new__(cls, dtype: _Dtype, data: bytes) -> Any:
        return np.frombuffer(data, dtype.dtype)[0].item()


_BUILTINS: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
}
_RECORD = _BUILTINS | {
    ("torch_geometric.data.data", "Data"): _State,
    ("torch_geometric.data", "Data"): _State,
    ("torch_geometric.data.data", "DataEdgeAttr"): _State,
    ("torch_geometric.data.data", "DataTensorAttr"): _State,
    ("torch_geometric.data.storage", "GlobalStorage"): _State,
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch.storage", "_load_from_bytes"): _Storage,
    ("collections", "OrderedDict"): OrderedDict,
}


def read_builtins(data: bytes) -> Any:
    """Read a pickle of Python's own types, and of numpy's numbers, which become Python's.

    Raises
    ------
    DataError
        If it is damaged, or asks for anything else.
    """
    return load(data, _BUILTINS, _MOST_OF_MAPPING)[0]


def read_record(data: bytes) -> dict[str, Any]:
    """Read a pickled ``torch_geometric.data.Data``, without torch_geometric.

    Parameters
    ----------
    data : bytes
        As version 1 or 2 of torch_geometric pickles it.

    Returns
    -------
    dict of str to object
        Its fields; those that are tensors as `Tensor`.

    Raises
    ------
    DataError
        If it is damaged, asks for anything that such a record has no need of, or is none.
    """
    record, _ = load(data, _RECORD, _MOST_OPCODES)
    try:
        fields = record.state
        if "_store" in fields:  # since version 2
            fields = fields["_store"].state["_mapping"]
        return dict(fields)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError("Expected a record of torch_geometric, got another pickle.") from error
