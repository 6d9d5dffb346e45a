"""Run as a child: ``python reading.py READER PATH...`` reads hostile data, and says what came."""

import json
import sys
from pathlib import Path

from benchmarks.is2rs.sources.lmdb import _array
from benchmarks.is2rs.sources.mapping import read_mapping
from benchmarks.is2rs.sources.systems import DataError
from benchmarks.is2rs.sources.text import read_text
from benchmarks.is2rs.sources.unpickling import Tensor, read_record


def tensors(path):
    """Read all tensors of a record."""
    fields = read_record(path.read_bytes())
    return {name: len(f.read()) for name, f in fields.items() if isinstance(f, Tensor)}


def numbers(path):
    """Read all fields of a record as numbers."""
    fields = read_record(path.read_bytes())
    return {name: len(_array(fields, name, (-1,), float)) for name in fields}


READERS = {
    "tensors": tensors,
    "numbers": numbers,
    "mapping": lambda path: len(read_mapping(path)),
    "text": lambda path: len(read_text(path)),
}


def peak():
    """Give the most memory that was resident since `forget_peak`, in bytes.

    `getrusage` would count what the parent had when it forked.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5")


def main():
    reader, *paths = sys.argv[1:]
    for path in paths:
        forget_peak()
        before = peak()
        try:
            said = {"read": READERS[reader](Path(path))}
        except DataError as error:
            said = {"refused": str(error)[:500]}
        said["bytes"] = peak() - before
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
