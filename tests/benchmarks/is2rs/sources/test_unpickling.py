"""Hostile pickles run nothing, and damaged ones are said to be."""

import contextlib
import io
import os
import pickle
import subprocess
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.is2rs.sources.systems import DataError
from benchmarks.is2rs.sources.unpickling import Tensor, read_builtins, read_record


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _hostile(marker):
    """Ways to make a folder, with what they ask for."""
    command = f"mkdir {marker}"
    code = f"import os; os.mkdir({str(marker)!r})"
    nested = pickle.dumps(Calls(os.mkdir, str(marker)), protocol=2)
    return {
        "system": Calls(os.system, command),
        "exec": Calls(exec, code),
        "eval": Calls(eval, code),
        "getattr": Calls(getattr, "x", "upper"),
        "import": Calls(__import__, "os"),
        "popen": Calls(subprocess.Popen, ["mkdir", str(marker)]),
        "numpy": Calls(np.load, io.BytesIO(nested)),
        "fromfile": Calls(np.fromfile, str(marker)),
        "torch": Calls(torch.load, io.BytesIO(nested)),
        "partial": Calls(type, "x", (), {}),
    }


@pytest.mark.parametrize("read", [read_builtins, read_record])
@pytest.mark.parametrize("name", _hostile(""))
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_is_called(tmp_path, read, name, protocol):
    marker = tmp_path / "owned"
    data = pickle.dumps({"pos": _hostile(marker)[name]}, protocol=protocol)
    with pytest.raises(DataError, match="asks for"):
        read(data)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),  # GLOBAL
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),  # STACK_GLOBAL
        (b"(S'true'\nios\nsystem\n.", "os.system"),  # INST
        (b"\x80\x04\x8c\x05torch\x8c\x0bTensor.data\x93.", "torch.Tensor.data"),  # a dotted name
        (b"\x80\x04\x8c\x11collections.abc.x\x8c\x01y\x93.", "collections.abc.x.y"),
    ],
)
@pytest.mark.parametrize("read", [read_builtins, read_record])
def test_every_way_to_ask_is_refused(read, data, asked):
    with pytest.raises(DataError, match=asked):
        read(data)


@pytest.mark.parametrize("stand_in", [b"ctorch_geometric.data.data\nData\n", b"cnumpy\ndtype\n"])
def test_a_pickle_changes_no_stand_in(stand_in, record, make_system, pickled):
    # BUILD with (None, {name: value}) would set attributes of the class itself.
    data = stand_in + b"(N(dS'read'\nI1\nsS'__init__'\nI1\nstb."
    with pytest.raises(DataError):
        read_record(data)
    assert read_record(pickled(record(make_system(), 3)))["sid"] == 3


@pytest.mark.parametrize("opcode", [b"P1\n.", b"K\x01Q.", b"\x82\x01.", b"\x97."])
def test_other_ways_out_of_a_pickle_are_refused(opcode):
    """Names and objects that are not in it, extensions and buffers."""
    with pytest.raises(DataError):
        read_record(opcode)


def test_a_storage_that_hides_a_pickle(tmp_path):
    marker = tmp_path / "owned"
    evil = pickle.dumps(Calls(os.mkdir, str(marker)), protocol=2)
    saved = io.BytesIO()
    torch.save({"x": Calls(os.mkdir, str(marker))}, saved)
    for data in (evil, saved.getvalue(), b"", b"noise"):
        with pytest.raises(DataError, match="a tensor that cannot be read"):
            Tensor(_storage(data), 0, (1,), (1,)).read()
    assert not marker.exists()


def _storage(data):
    """Let a pickle ask for `torch.storage._load_from_bytes`, as that of a tensor does."""
    pickled = pickle.dumps(Calls(torch.storage._load_from_bytes, data))
    state = b"\x80\x04ctorch_geometric.data\nData\n)\x81}\x8c\x01s" + pickled[2:-1] + b"sb."
    return read_record(state)["s"]


def _fields(fields, pickled):
    return read_record(pickled(fields))


@given(data=st.data())
def test_damage_is_said(data):
    whole = pickle.dumps({"random1": [1.5, "x", (2, None), np.float64(3)]}, protocol=4)
    at = data.draw(st.integers(0, len(whole) - 1))
    new = data.draw(st.binary(max_size=6))
    damaged = whole[:at] + new + whole[at + len(new) + data.draw(st.integers(0, 3)) :]
    for read in (read_builtins, read_record):
        with contextlib.suppress(DataError):
            read(damaged)


@pytest.mark.parametrize("open_", [b"]", b"(", b"}K\x00"])
def test_deep_nesting(open_):
    close = {b"]": b"a", b"(": b"t", b"}K\x00": b"s"}[open_]
    data = open_ * 100_000 + b"N" + close * 100_000 + b"."
    with pytest.raises(DataError):
        read_record(data)


class TestTensors:
    @pytest.mark.parametrize(
        "tensor",
        [
            torch.arange(12.0).reshape(3, 4),
            torch.arange(12).reshape(3, 4).T,
            torch.arange(12, dtype=torch.int32)[3:9:2],
            torch.tensor(2.5, dtype=torch.float64),
            torch.tensor([True, False]),
            torch.zeros(0, 3),
        ],
    )
    def test_values_are_those_of_torch(self, tensor, pickled):
        found = _fields({"t": tensor}, pickled)["t"].read()
        np.testing.assert_array_equal(found, tensor.numpy())
        assert found.dtype == tensor.numpy().dtype

    @pytest.mark.parametrize(
        ("offset", "size", "stride"),
        [
            (0, (13,), (1,)),
            (9, (4,), (1,)),
            (0, (3, 5), (5, 1)),
            (0, (2,), (12,)),
            (0, (10**12,), (0,)),
            (-1, (1,), (1,)),
            (0, (-1,), (1,)),
            (5, (3,), (-1,)),
            (0, (2, 2), (1,)),
            (0, ("2",), (1,)),
            ("0", (2,), (1,)),
            (0, 3, 1),
        ],
    )
    def test_no_memory_beyond_the_storage_is_read(self, offset, size, stride, pickled):
        tensor = _fields({"t": torch.arange(12.0)}, pickled)["t"]
        with pytest.raises(DataError, match="cannot be read"):
            Tensor(tensor.storage, offset, size, stride).read()


class TestBuiltins:
    @pytest.mark.parametrize("protocol", [3, 4, 5])
    @pytest.mark.parametrize(
        "number", [np.float64(1.25), np.float32(-2.5), np.int64(-7), np.bool_(True)]
    )
    def test_numbers_of_numpy_become_numbers(self, number, protocol):
        found = read_builtins(pickle.dumps([number, number], protocol=protocol))
        assert found == [number.item()] * 2
        assert type(found[0]) is type(number.item())

    def test_the_old_name_of_numpy_and_the_other_order_of_bytes(self):
        dtype = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'>'\nNNNI-1\nI-1\nI0\ntb"
        number = b"C\x08" + np.array(1.25, ">f8").tobytes()
        data = b"\x80\x03cnumpy.core.multiarray\nscalar\n(" + dtype + number + b"tR."
        assert read_builtins(data) == 1.25

    @pytest.mark.parametrize(
        "value",
        [
            np.array([1.0]),
            np.datetime64("2020-01-01"),
            np.array([object()], dtype=object)[:0],
            np.dtype("O"),
            OrderedDict(a=1),
            {1.5j},
        ],
    )
    def test_all_else_is_refused(self, value):
        with pytest.raises(DataError):
            read_builtins(pickle.dumps(value))
