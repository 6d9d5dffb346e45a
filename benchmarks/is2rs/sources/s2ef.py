"""Structures to train on: OC20's S2EF folders.

A file ``N.extxyz`` holds frames of many systems. Beside it, ``N.txt`` has a line
``sid,frame,reference_energy`` for each, in the same order. Both may be packed, as ``.xz``. Energies
are total; adsorption energies are energies less the reference (the README in OC20's archives;
doi 10.1021/acscatal.0c04525).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ase import Atoms

from benchmarks.is2rs.sources import frames as xyz
from benchmarks.is2rs.sources.base import Source
from benchmarks.is2rs.sources.folders import files, frames_name
from benchmarks.is2rs.sources.systems import DataError, System
from benchmarks.is2rs.sources.text import read_table

__all__ = ["Frames", "find"]


class _Place(NamedTuple):
    """Where a frame is."""

    path: Path
    row: int


class Frames(Source):
    """Frames that are no relaxation, grouped by system.

    Parameters
    ----------
    pairs : sequence of tuple of (Path, Path, str)
        Files of frames, the files with their lines, and the split of each.

    Raises
    ------
    DataError
        If a file of lines cannot be read, or a system has two splits or reference energies.
    """

    def __init__(self, pairs: Sequence[tuple[Path, Path, str]]) -> None:
        self._n_frames: dict[Path, int] = {}
        self._places: dict[str, list[_Place]] = {}
        self._known: dict[str, tuple[str, float | None]] = {}
        for frames, lines, split in pairs:
            rows = read_table(lines, 3)
            self._n_frames[frames] = len(rows)
            for row, (sid, reference) in enumerate(rows):
                if self._known.setdefault(sid, (split, reference)) != (split, reference):
                    raise DataError(
                        f"{lines}, line {row + 1}: expected {sid} to have one split and reference "
                        f"energy, got {(split, reference)} and {self._known[sid]}."
                    )
                self._places.setdefault(sid, []).append(_Place(frames, row))

    def splits(self) -> dict[str, list[str]]:
        """Name the systems of each split."""
        named: dict[str, list[str]] = {}
        for sid, (split, _) in self._known.items():
            named.setdefault(split, []).append(sid)
        return named

    def load(self, sid: str) -> System:
        """Read all frames of a system."""
        frames = tuple(self._frame(place) for place in self._places[sid])
        xyz.check(frames, f"{sid} in {self._places[sid][0].path}", forces=True)
        split, reference = self._known[sid]
        slab, adsorbate = xyz.formulas(frames[0])
        return System(sid, split, frames, False, reference, slab, adsorbate)

    def _frame(self, place: _Place) -> Atoms:
        blocks, n_frames = _blocks(place.path), self._n_frames[place.path]
        if len(blocks) != n_frames:
            raise DataError(
                f"Expected as many frames in {place.path} as there are lines in its .txt, got "
                f"{len(blocks)} and {n_frames}."
            )
        return xyz.parse(blocks[place.row], f"{place.path}, frame {place.row}")


@lru_cache(maxsize=2)  # systems that follow each other lie in the same file
def _blocks(path: Path) -> list[str]:
    return xyz.blocks(path)


def find(folder: Path) -> list[Source]:
    """Find all pairs of ``N.extxyz`` and ``N.txt`` in a folder; what names no split is to train on.

    Raises
    ------
    DataError
        If a file of frames has no lines, or these do not fit.
    """
    pairs = []
    for path, split in files(folder, "*.extxyz*", otherwise="train"):
        name = frames_name(path)
        if name and name.isdecimal():
            pairs.append((path, _lines_of(path, name), split))
    return [Frames(pairs)] if pairs else []


def _lines_of(path: Path, name: str) -> Path:
    for suffix in (".txt", ".txt.xz"):
        if (path.parent / (name + suffix)).is_file():
            return path.parent / (name + suffix)
    raise DataError(f"Expected {name}.txt or {name}.txt.xz beside {path}, found neither.")
