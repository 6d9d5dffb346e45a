"""Attacks by records and texts of OC20: none reads foreign memory, and each ends soon."""

import io
import json
import lzma
import pickle
import struct
import sys
import warnings
import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ase")
pytest.importorskip("lmdb")

from .limited import run  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by Linux")

SECONDS = 60
MEMORY = 1 << 30  # bytes that reading may take, whatever the data are
STATE = b"\x80\x04ctorch_geometric.data\nData\n)\x81}"


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def read(reader, *paths):
    """Read files in a child; give what it says of each."""
    done = run("tests/faults/reading.py", reader, *paths, seconds=SECONDS)
    assert done.returncode == 0, f"ended the process: {done.stderr[-2000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def storage(tensor, legacy=True):
    """Save a tensor's storage, or a tensor, as torch does."""
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # torch's, of the storages that pickles hold
        saved = tensor if isinstance(tensor, torch.Tensor) else tensor[0].storage()
        torch.save(saved, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def tensor_record(data, offset=0, size=(4,), stride=(1,)):
    """Write a record with a tensor whose storage, offset, size and strides are as they are."""
    rebuild = torch._utils._rebuild_tensor_v2
    load = Calls(torch.storage._load_from_bytes, data)
    field = pickle.dumps(Calls(rebuild, load, offset, size, stride, False, None), protocol=4)
    return STATE + b"\x8c\x01t" + field[field.index(b"\x8c") :][:-1] + b"sb."


def values(n):
    return (torch.arange(float(n)),)


def says_more(data, n=10**7):
    """Let a storage of three numbers say that it has more, in both places."""
    said = data.replace(b"K\x03N", b"J" + struct.pack("<i", n) + b"N")
    return said[:-20] + struct.pack("<q", n) + said[-12:]


def a_zip_that_says_more():
    """Let a storage in a zip archive say that it has more numbers than its record."""
    whole, forged = io.BytesIO(storage(values(3), legacy=False)), io.BytesIO()
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(forged, "w") as packed:
        for name in parts.namelist():
            data = parts.read(name)
            if name.endswith("data.pkl"):
                data = data.replace(b"K\x03t", b"J" + struct.pack("<i", 10**6) + b"t")
            packed.writestr(name, data)
    return forged.getvalue()


def hostile_tensors():
    good = storage(values(3))
    stride_0 = storage(torch.zeros(1).expand(1000))
    beyond = torch.zeros(1).as_strided((1,), (1,))
    return {
        "a tensor of stride 0 for a storage": tensor_record(stride_0, size=(10**3,)),
        "a tensor of stride 0 in a zip": tensor_record(
            storage(torch.zeros(1).expand(1000), legacy=False), size=(10**3,)
        ),
        "a view for a storage": tensor_record(storage(beyond), size=(10**3,)),
        "a storage that says more": tensor_record(says_more(good), size=(10**7,)),
        "a zip that says more": tensor_record(a_zip_that_says_more(), size=(10**6,)),
        "an end beyond": tensor_record(good, 2, (2,)),
        "a stride beyond": tensor_record(good, 0, (2,), (3,)),
        "an offset beyond": tensor_record(good, 2**62, (1,)),
        "a stride that overflows": tensor_record(good, 0, (3,), (2**61,)),
        "a size that overflows": tensor_record(good, 0, (2**32, 2**32), (0, 0)),
        "a stride below": tensor_record(good, 2, (3,), (-1,)),
        "more by stride 0": tensor_record(good, 0, (10**12,), (0,)),
        "no integers": tensor_record(good, 0, (3.0,), (1,)),
    }


def test_no_memory_but_the_records_own_is_read(tmp_path):
    good = tmp_path / "good"
    good.write_bytes(tensor_record(storage(values(4))))
    paths = [good]
    for name, data in hostile_tensors().items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    whole, *others = read("tensors", *paths)
    assert whole["read"] == {"t": 4}
    for path, said in zip(paths[1:], others, strict=True):
        assert "a tensor that cannot be read" in said["refused"], path.name
        assert said["bytes"] < MEMORY


def nested(n, open_=b")"):
    """Pickle a tuple of two tuples, which are the same, and so on: 2**n values in 5 n bytes."""
    return open_ + b"\x94" + b"".join(b"h%c\x86\x94" % k for k in range(n))


def nested_lists(n):
    """Pickle a list of two lists, which are the same, and so on."""
    made = b"".join(b"](h%ch%ce\x940" % (k, k) for k in range(n))
    return b"]\x940" + made + b"h%c" % n


def bombs():
    """Pickles of few bytes whose reading, hashing or showing would not end."""
    head = STATE + b"\x8c\x01t"
    lists = nested_lists(60)
    return {
        "a key": b"\x80\x04}" + nested(60) + b"K\x01s.",
        "a field": STATE + nested(60) + b"K\x01sb.",
        "a set": b"\x80\x04\x8f(" + nested(60) + b"\x90.",
        "an index": b"\x80\x04cnumpy\ndtype\n" + nested(60) + b"R.",
        "a list": head + lists + b"sb.",
        "a name": b"\x80\x04cnumpy\ndtype\n" + lists + b"\x85R.",
        "a memo": b"\x80\x04}r\xff\xff\xff\x7f.",
        "many objects": STATE + b"\x8c\x01t(" + b"]" * (30 << 20) + b"lsb.",
        "a large number": STATE + b"\x8c\x01t\x8b\0\0\0\x01" + b"\x01" * (1 << 24) + b"sb.",
        "bytes that are not there": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
    }


@pytest.mark.parametrize("reader", ["numbers", "mapping"])
def test_pickles_that_grow_end(reader, tmp_path):
    grown = bombs()
    if reader == "mapping":
        del grown["many objects"]  # what a mapping takes is linear in its file
    paths = [tmp_path / name for name in grown]
    for path, data in zip(paths, grown.values(), strict=True):
        path.write_bytes(data)
    for path, said in zip(paths, read(reader, *paths), strict=True):
        assert "refused" in said, path.name
        assert said["bytes"] < MEMORY, path.name


def xz_of(n_bytes, byte=b"1"):
    """Pack many of the same byte, as streams that are all the same: one is packed."""
    stream = 16 << 20
    return lzma.compress(byte * stream, preset=1) * (n_bytes // stream)


@pytest.mark.parametrize("byte", [b"1", b"\n"], ids=["one line", "empty lines"])
def test_what_unpacks_to_more_than_any_of_oc20_ends(byte, tmp_path):
    path = tmp_path / "bomb.extxyz.xz"
    path.write_bytes(xz_of(1 << 30, byte))
    (said,) = read("text", path)
    assert path.stat().st_size < 1 << 18
    assert "Expected" in said["refused"]
    assert said["bytes"] < MEMORY


def test_lines_without_content_end(tmp_path):
    path = tmp_path / "lines.txt.xz"
    path.write_bytes(xz_of(128 << 20, b"\n"))
    (said,) = read("text", path)
    assert "lines" in said["refused"]
    assert said["bytes"] < MEMORY


def test_frames_that_promise_more_atoms_than_there_are_do_not_hang_the_monitor(tmp_path):
    path = tmp_path / "run.xyz"
    path.write_text("1000000000\nstep=0\nH 0 0 0\n")
    code = (
        "import pathlib, sys\n"
        "from ltau.adapters._forces.run_files import cut_frames\n"
        "cut_frames(pathlib.Path(sys.argv[1]), 10)\n"
    )
    assert run(code, path, seconds=20, memory=4 << 30).returncode == 0
    assert path.read_bytes() == b""  # a frame that is not whole is dropped


def test_a_row_that_cannot_be_written_leaves_the_table_whole(tmp_path):
    code = """
import pathlib, resource, sys
from ltau.adapters._forces.run_files import RunTable
path = pathlib.Path(sys.argv[1])
table = RunTable(path, ("step", "a"))
table.append({"step": 0, "a": 1.25})
whole, most = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for more in range(7):
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + more, most))
    try:
        table.append({"step": 1, "a": 12.125})
    except OSError:
        assert path.read_bytes() == whole
        assert table.last["step"] == "0"
    else:
        raise AssertionError(more)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
table.append({"step": 1, "a": 12.125})
assert path.read_bytes() == whole + b"1,12.125\\n"
"""
    done = run(code, tmp_path / "run.csv")
    assert done.returncode == 0, done.stderr


@pytest.mark.long_attack
def test_thousands_of_changed_records(tmp_path, capsys):
    """Change bytes of records: what is read is made of their own bytes, or refused."""
    rng = np.random.default_rng(0)
    whole = tensor_record(storage(values(64)), size=(8, 8), stride=(8, 1))
    paths = []
    for number in range(5000):
        data = bytearray(whole)
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] = rng.integers(256)
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(data)
    said = [
        s for start in range(0, 5000, 500) for s in read("tensors", *paths[start : start + 500])
    ]
    refused, most = sum("refused" in s for s in said), max(s["bytes"] for s in said)
    with capsys.disabled():
        print(f"\n{len(said)} changed records: {refused} refused, hangs 0, most {most >> 20} MiB")
    assert most < MEMORY
