"""Files that a run adds to, step by step, and a later run goes on with."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from ase import Atoms
from ase.io import write

from ltau._files.whole import append_whole
from ltau.adapters._forces.results import PER_ATOM, PER_STRUCTURE

__all__ = ["RunTable", "append_frame", "cut_frames"]


class RunTable:
    """A CSV file with one row per step. Rows are in it as soon as they are added.

    An existing table is gone on with. A last line without an end, of a run that was
    killed, is dropped, and so are rows after `last_step`.

    Parameters
    ----------
    path : Path
        The file; it is started where there is none.
    columns : sequence of str
        Names of the columns, the first of which is ``"step"``.
    last_step : int, optional
        Last step whose row is kept; by default all are.

    Attributes
    ----------
    last : dict of str to str
        The cells of the last row; empty if there is none.

    Raises
    ------
    ValueError
        If the file is no table with these columns.
    """

    def __init__(self, path: Path, columns: Sequence[str], last_step: int | None = None) -> None:
        self._path = path
        self._columns = tuple(columns)
        self.last: dict[str, str] = {}
        with path.open("a+b") as file:
            file.seek(0)
            end = self._read(file, last_step)
            file.truncate(end)
        if end == 0:
            append_whole(path, self._header)

    @property
    def _header(self) -> bytes:
        return (",".join(self._columns) + "\n").encode()

    def append(self, row: Mapping[str, float | None]) -> None:
        """Add a row; None leaves a cell empty."""
        cells = {name: _cell(row[name]) for name in self._columns}
        append_whole(self._path, (",".join(cells.values()) + "\n").encode())
        self.last = cells

    def _read(self, file: BinaryIO, last_step: int | None) -> int:
        """Read the rows that are kept, and find where they end."""
        header = file.readline()
        if header != self._header:
            if self._header.startswith(header):  # nothing, or torn
                return 0
            raise ValueError(
                f"Expected {self._path} to be a table with the columns "
                f"{','.join(self._columns)}, got {header[:200]!r}."
            )
        end = len(header)
        for number, line in enumerate(file, start=2):
            if not line.endswith(b"\n"):
                break
            row = self._parse(line, number)
            if last_step is not None and int(row["step"]) > last_step:
                break
            self.last = row
            end += len(line)
        return end

    def _parse(self, line: bytes, number: int) -> dict[str, str]:
        cells = line.decode(errors="replace").rstrip("\n").split(",")
        if len(cells) != len(self._columns) or not cells[0].isdecimal():
            raise ValueError(
                f"Expected a step and {len(self._columns) - 1} numbers in line {number} of "
                f"{self._path}, got {line[:200]!r}."
            )
        return dict(zip(self._columns, cells, strict=True))


def append_frame(path: Path, atoms: Atoms, **info: object) -> None:
    """Add a structure with its results to a file in extended XYZ format."""
    results = atoms.calc.results
    frame = atoms.copy()
    for name in results.keys() - set(PER_ATOM + PER_STRUCTURE):  # else ASE finds them twice
        frame.info.pop(name, None)
        frame.arrays.pop(name, None)
    frame.info = info | {key: value for key, value in frame.info.items() if key not in info}
    frame.calc = atoms.calc
    text = io.StringIO()
    write(text, frame, format="extxyz")
    append_whole(path, text.getvalue().encode())


def cut_frames(path: Path, last_step: int) -> None:
    """Drop what follows the frame of a step, such as a frame that a killed run left torn."""
    if not path.exists():
        return
    with path.open("rb") as file:
        end = 0
        try:
            while (step := _next_step(file)) is not None and step <= last_step:
                end = file.tell()
        except ValueError as error:
            raise ValueError(f"Expected {path} to hold frames of a run: {error}") from error
    os.truncate(path, end)


def _next_step(file: BinaryIO) -> int | None:
    """Read a frame, and give its step; None if there is no whole one."""
    count = file.readline()
    if not count.endswith(b"\n"):
        return None
    info = file.readline()
    for _ in range(int(count)):
        if not file.readline().endswith(b"\n"):  # whatever the number promises
            return None
    step = re.search(rb"\bstep=(\d+)", info)
    if step is None:
        raise ValueError(f"got one without its step, {info[:200]!r}")
    return int(step[1])


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
