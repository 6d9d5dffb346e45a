"""Relaxations frame by frame: OC20's ``is2res`` trajectories.

A trajectory is a file ``<sid>.extxyz.xz``. In the same folder, or in the one above, ``system.txt``
has a line ``sid,reference_energy`` for each. Energies are total, forces are those of all atoms,
without constraints; adsorption energies are energies less the reference (the README in OC20's
archives; doi 10.1021/acscatal.0c04525).
"""

from __future__ import annotations

import io
import lzma
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import ase.io
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from benchmarks.harness.files import whole, write_text
from benchmarks.is2rs.sources.base import Source
from benchmarks.is2rs.sources.folders import files, frames_name
from benchmarks.is2rs.sources.frames import blocks, check, formulas, parse
from benchmarks.is2rs.sources.systems import DataError, System
from benchmarks.is2rs.sources.text import read_table

__all__ = ["Trajectories", "find", "write_trajectories", "write_trajectory"]

_TABLE = "system.txt"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_COLUMNS = ["symbols", "positions", "move_mask", "tags", "forces"]


class Trajectories(Source):
    """Relaxations, a file each.

    Frame 0 is the initial structure and the last frame the relaxed one. Positions stay as they
    are, wrapped or not. A reference energy of exactly 0 stands for an unknown one. The names of
    the bulk and of the adsorbate are their chemical formulas.

    Parameters
    ----------
    table : Path
        The file ``system.txt``.
    trajectories : sequence of tuple of (Path, str)
        The trajectories that it is about, with the split of each.

    Raises
    ------
    DataError
        If the table cannot be read, or table and trajectories are not of the same systems.
    """

    def __init__(self, table: Path, trajectories: Sequence[tuple[Path, str]]) -> None:
        rows = read_table(table, 2)
        self._references = dict(rows)
        self._files = {str(frames_name(path)): (path, split) for path, split in trajectories}
        if len(self._references) < len(rows):
            raise DataError(f"{table} has a system more than once.")
        if len(self._files) < len(trajectories):
            raise DataError(f"{table.parent} has the trajectory of a system more than once.")
        _say(f"{table} has systems without a trajectory", self._references.keys() - self._files)
        _say(f"{table} lacks systems of trajectories", self._files.keys() - self._references)

    def splits(self) -> dict[str, list[str]]:
        """Name the systems of each split."""
        named: dict[str, list[str]] = {}
        for sid, (_, split) in self._files.items():
            named.setdefault(split, []).append(sid)
        return named

    def load(self, sid: str) -> System:
        """Read one relaxation."""
        path, split = self._files[sid]
        parts = blocks(path)
        if len(parts) < 2:
            raise DataError(
                f"Expected a first and a relaxed frame in {path}, got {len(parts)} frame(s)."
            )
        frames = tuple(parse(part, f"{path}, frame {k}") for k, part in enumerate(parts))
        check(frames, str(path), forces=True)
        slab, adsorbate = formulas(frames[0])
        return System(sid, split, frames, True, self._references[sid], slab, adsorbate)


def _say(problem: str, names: Iterable[str]) -> None:
    names = sorted(names)
    if names:
        raise DataError(f"{problem}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}.")


def find(folder: Path) -> list[Source]:
    """Find all trajectories in a folder.

    Files whose name is but a number are not trajectories: they are of S2EF.

    Raises
    ------
    DataError
        If a trajectory has no ``system.txt``, or one does not fit its trajectories.
    """
    tables: dict[Path, list[tuple[Path, str]]] = {table: [] for table, _ in files(folder, _TABLE)}
    for path, split in files(folder, "*.extxyz*"):
        name = frames_name(path)
        if name and not name.isdecimal():
            tables.setdefault(_table_of(path), []).append((path, split))
    return [Trajectories(table, trajectories) for table, trajectories in tables.items()]


def _table_of(path: Path) -> Path:
    for folder in (path.parent, path.parent.parent):
        if (folder / _TABLE).is_file():
            return folder / _TABLE
    raise DataError(
        f"Expected {_TABLE}, with lines of sid,reference_energy, in the folder of {path} or in "
        "the one above, found none."
    )


def write_trajectory(system: System, folder: Path) -> None:
    """Write one relaxation as ``<sid>.extxyz.xz``, whole or not at all.

    Numbers have eight digits after the point, as OC20's have. The name of the system is of letters,
    digits, "-", "_" and ".", and is not a number.

    Parameters
    ----------
    system : System
        A relaxation, with forces.
    folder : Path
        Where to; made if it is not there.

    Raises
    ------
    ValueError
        If the file could not be read again as the same system.
    OSError
        If the file cannot be written.
    """
    _check_writable(system)
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    ase.io.write(text, [_bare(atoms) for atoms in system.frames], "extxyz", columns=_COLUMNS)
    packed = lzma.compress(text.getvalue().encode("utf-8"))
    with whole(folder / f"{system.sid}.extxyz.xz") as partial:
        partial.write_bytes(packed)


def _bare(atoms: Atoms) -> Atoms:
    """Leave out what the layout has no place for."""
    bare = atoms.copy()
    bare.info = {}
    energy, forces = (atoms.calc.results[name] for name in ("energy", "forces"))
    bare.calc = SinglePointCalculator(bare, energy=energy, forces=forces)
    return bare


def _check_writable(system: System) -> None:
    sid = system.sid
    if not _NAME.fullmatch(sid) or sid.isdecimal():
        raise ValueError(
            f"Expected a sid of letters, digits, '-', '_' and '.', not a number, got {sid!r}."
        )
    if not system.relaxes or len(system.frames) < 2:
        raise ValueError(f"Expected the frames of a relaxation, got those of {sid}.")
    if system.reference_energy == 0:
        raise ValueError(f"Expected a reference energy other than 0, unknown here, got 0 of {sid}.")
    check(system.frames, sid, forces=True)


def write_trajectories(systems: Iterable[System], folder: Path) -> None:
    """Write relaxations, and then their reference energies into ``system.txt``.

    Those of a split are in a folder of its name, with a ``system.txt`` of their own. What is there
    already stays, but for systems of the same name. Only one process may write at a time.

    Parameters
    ----------
    systems : iterable of System
        Relaxations, with forces.
    folder : Path
        Where to; made if it is not there.

    Raises
    ------
    ValueError
        If a file could not be read again as the same system.
    OSError
        If a file cannot be written.
    """
    references: dict[str, dict[str, float | None]] = {}
    for system in systems:
        write_trajectory(system, folder / system.split)
        references.setdefault(system.split, {})[system.sid] = system.reference_energy
    for split, rows in references.items():
        table = folder / split / _TABLE
        known = dict(read_table(table, 2)) if table.is_file() else {}
        _write_table(table, known | rows)


def _write_table(table: Path, references: Mapping[str, float | None]) -> None:
    lines = (f"{sid},{energy or 0.0!r}\n" for sid, energy in references.items())
    write_text(table, "".join(lines))
