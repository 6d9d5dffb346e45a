"""Frames in extended XYZ, and what must hold of the frames of a system."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from benchmarks.is2rs.sources.systems import ADSORBATE, DataError, fixed_atoms
from benchmarks.is2rs.sources.text import read_text

__all__ = ["blocks", "check", "formulas", "parse"]

_COUNT = re.compile(r"\d{1,6}")
# What ASE raises on text that is not extended XYZ.
_DAMAGE = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, TypeError)


def blocks(path: Path) -> list[str]:
    """Divide a file into the text of its frames.

    Raises
    ------
    DataError
        If it cannot be read, or does not end with the end of a frame.
    """
    text = read_text(path)
    lines = text.split("\n")
    if lines.pop():
        raise DataError(f"{path} ends in the middle of a line.")
    divided: list[str] = []
    start = 0
    while start < len(lines):
        count = lines[start].strip()
        if not _COUNT.fullmatch(count):
            raise DataError(
                f"{path}, line {start + 1}: expected a number of atoms, got {count[:40]!r}."
            )
        stop = start + 2 + int(count)
        if stop > len(lines):
            raise DataError(f"{path} ends in the middle of frame {len(divided)}.")
        divided.append("\n".join(lines[start:stop]) + "\n")
        start = stop
    return divided


def parse(block: str, where: str) -> Atoms:
    """Read one frame, with tags, and with fixed atoms where ``move_mask`` is false.

    Raises
    ------
    DataError
        If it is not a frame in extended XYZ.
    """
    try:
        return cast(Atoms, ase.io.read(io.StringIO(block), format="extxyz"))
    except (*_DAMAGE, ValueError) as error:
        raise DataError(f"{where} is not extended XYZ: {error!r}") from error


def check(frames: Sequence[Atoms], where: str, *, forces: bool) -> None:
    """Check that frames are those of one adsorbate on one slab, complete and finite.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Of one system, with energies.
    where : str
        What they were read from, for the message.
    forces : bool
        Whether they must have forces.

    Raises
    ------
    DataError
        If they are not.
    """
    for number, atoms in enumerate(frames):
        problem = _problem(atoms, forces) or _difference(atoms, frames[0])
        if problem:
            raise DataError(f"{where}, frame {number}: {problem}.")


def _problem(atoms: Atoms, forces: bool) -> str | None:
    """Say what is wrong with a frame by itself."""
    results = atoms.calc.results if atoms.calc else {}
    if not atoms.has("tags"):
        return "no tags"
    tags = set(atoms.get_tags().tolist())
    if not tags <= {0, 1, 2} or ADSORBATE not in tags:
        return f"expected tags 0, 1 and, of the adsorbate, 2; got {sorted(tags)[:5]}"
    if not all((atoms.numbers > 0) & (atoms.numbers < len(chemical_symbols))):
        return "atoms of no element"
    if not abs(np.linalg.det(atoms.cell.array)) > 0 or not np.isfinite(atoms.cell.array).all():
        return "no cell"
    if not np.isfinite(atoms.positions).all():
        return "positions that are not finite"
    if not np.isfinite(results.get("energy", np.nan)):
        return "no energy"
    if forces and not np.isfinite(results.get("forces", np.nan)).all():
        return "no forces, or some that are not finite"
    return None


def _difference(atoms: Atoms, first: Atoms) -> str | None:
    """Say how a frame differs from the first in what all have in common."""
    if not np.array_equal(atoms.numbers, first.numbers):
        return "other atoms than in frame 0"
    if not np.array_equal(atoms.get_tags(), first.get_tags()):
        return "other tags than in frame 0"
    if not np.array_equal(fixed_atoms(atoms), fixed_atoms(first)):
        return "other fixed atoms than in frame 0"
    if not np.array_equal(atoms.cell.array, first.cell.array):
        return "another cell than in frame 0"
    return None


def formulas(atoms: Atoms) -> tuple[str, str]:
    """Give the chemical formulas of the slab and of the adsorbate."""
    adsorbate = atoms.get_tags() == ADSORBATE
    slab = atoms[~adsorbate].get_chemical_formula()
    return slab, atoms[adsorbate].get_chemical_formula()
