"""First and relaxed structures: OC20's IS2RE LMDBs.

A file ``data.lmdb`` holds records by number, from ``b"0"``; if it has ``b"length"``, that is how
many. Records are pickles, which are read without trust. Energies are adsorption energies: they
count from the clean slab and the molecule (doi 10.1021/acscatal.0c04525). There are no forces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from numpy.typing import NDArray

from benchmarks.is2rs.sources.base import Source
from benchmarks.is2rs.sources.folders import choose, files
from benchmarks.is2rs.sources.frames import check, formulas
from benchmarks.is2rs.sources.systems import DataError, System
from benchmarks.is2rs.sources.unpickling import Tensor, read_builtins, read_record

__all__ = ["Records", "find"]

_MAX_BYTES = 2**26  # of a record; those of OC20 have some hundred thousand


class Records(Source):
    """The records of one file.

    The names of the systems are in the records: without a limit, all are read to learn them. The
    reference energy is 0, because energies count from it already. The names of the bulk and of
    the adsorbate are their chemical formulas.

    Parameters
    ----------
    path : Path
        The file.
    split : str
        Split of its systems.
    limit : int, optional
        How many to choose, at most: always the same ones. All by default.

    Raises
    ------
    DataError
        If the file is damaged, or a record that is chosen is missing or has no name.
    """

    def __init__(self, path: Path, split: str, limit: int | None = None) -> None:
        self._path, self._split = path, split
        self._numbers: dict[str, int] = {}
        with _opened(path) as file:
            for number in choose(range(_length(file, path)), limit):
                sid = f"random{_sid(_record(file, path, number), path, number)}"
                if self._numbers.setdefault(sid, number) != number:
                    raise DataError(f"{path} has {sid} more than once.")

    def splits(self) -> dict[str, list[str]]:
        """Name the systems."""
        return {self._split: list(self._numbers)}

    def load(self, sid: str) -> System:
        """Read the first and the relaxed structure of a system."""
        number = self._numbers[sid]
        where = f"{self._path}, record {number}"
        with _opened(self._path) as file:
            record = _record(file, self._path, number)
        try:
            frames = _frames(record)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: {error}") from error
        check(frames, where, forces=False)
        slab, adsorbate = formulas(frames[0])
        return System(sid, self._split, frames, True, 0.0, slab, adsorbate)


def find(folder: Path, limit: int | None = None) -> list[Source]:
    """Find all LMDBs in a folder; of each, at most `limit` systems.

    Raises
    ------
    DataError
        If one is damaged.
    """
    return [Records(path, split, limit) for path, split in files(folder, "*.lmdb")]


@contextmanager
def _opened(path: Path) -> Iterator[lmdb.Transaction]:
    try:
        with lmdb.open(
            str(path),
            subdir=False,
            readonly=True,
            create=False,
            lock=False,
            max_readers=1,
            readahead=False,
        ) as environment:
            # A page that is missing would end the process when it is read.
            whole = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
            if path.stat().st_size < whole:
                raise DataError(f"{path} is cut short: expected {whole} bytes at least.")
            with environment.begin() as transaction:
                yield transaction
    except lmdb.Error as error:
        raise DataError(f"{path} is not a whole LMDB: {error}") from error


def _length(file: lmdb.Transaction, path: Path) -> int:
    """Tell how many records there are, and check that the file says the same, if it does."""
    entries: int = file.stat()["entries"]
    said = file.get(b"length")
    if said is None:
        return entries
    length = read_builtins(bytes(said))
    if not isinstance(length, int) or length != entries - 1:
        raise DataError(
            f"Expected {path} to say that it has {entries - 1} records, as it has, got "
            f"{length if isinstance(length, int) else type(length).__name__}."
        )
    return entries - 1


def _record(file: lmdb.Transaction, path: Path, number: int) -> dict[str, Any]:
    data = file.get(str(number).encode("ascii"))
    if data is None:
        raise DataError(f"{path} has no record {number}.")
    if len(data) > _MAX_BYTES:
        raise DataError(f"{path}, record {number}: {len(data)} bytes are more than a system needs.")
    try:
        return read_record(bytes(data))
    except DataError as error:
        raise DataError(f"{path}, record {number}: {error}") from error


def _sid(record: Mapping[str, Any], path: Path, number: int) -> int:
    try:
        return int(_array(record, "sid", (1,), np.int64)[0])
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}, record {number}: {error}") from error


def _frames(record: Mapping[str, Any]) -> tuple[Atoms, Atoms]:
    n = len(_array(record, "atomic_numbers", (-1,), np.int64))
    if _array(record, "natoms", (1,), np.int64) != n:
        raise DataError(f"natoms is not {n}, the number of atomic numbers")
    return _structure(record, n, "pos", "y_init"), _structure(record, n, "pos_relaxed", "y_relaxed")


def _structure(record: Mapping[str, Any], n: int, positions: str, energy: str) -> Atoms:
    atoms = Atoms(
        numbers=_array(record, "atomic_numbers", (n,), np.int64),
        positions=_array(record, positions, (n, 3), np.float64),
        cell=_array(record, "cell", (3, 3), np.float64),
        tags=_array(record, "tags", (n,), np.int64),
        pbc=True,
        constraint=FixAtoms(mask=_array(record, "fixed", (n,), np.int64) == 1),
    )
    total = float(_array(record, energy, (1,), np.float64)[0])
    atoms.calc = SinglePointCalculator(atoms, energy=total)
    return atoms


def _array(
    record: Mapping[str, Any], name: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    """Give a field, which may have further axes of length 1."""
    value = record.get(name)
    if value is None:
        raise DataError(
            f"no {name}; the records of IS2RE to train and validate on have it, no others do"
        )
    if not isinstance(value, Tensor | int | float):  # lists may hold each other without end
        raise DataError(f"expected {name} to be numbers, got {type(value).__name__}")
    array = value.read() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise DataError(f"expected {name} to be numbers, got {array.dtype}")
    if dtype is np.int64 and not (np.isfinite(array).all() and (array % 1 == 0).all()):
        raise DataError(f"expected {name} to be whole numbers")
    return array.astype(dtype).reshape(shape)
