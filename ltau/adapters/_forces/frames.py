"""The frames of a training, kept in a file beside their logs and known again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from ltau._files.whole import write_text_whole

__all__ = [
    "FRAMES",
    "VALIDATION",
    "fingerprint",
    "has_labels",
    "kept_info",
    "labelled_atoms",
    "load_frames",
    "save_frames",
]

# In the folder of the logs: what is trained on, and what is held out.
FRAMES, VALIDATION = "frames.extxyz", "validation.extxyz"

_DECIMALS = 8  # of positions in extended XYZ


def labelled_atoms(
    numbers: NDArray[np.integer],
    positions: NDArray[np.floating],
    cell: Any,
    pbc: Any,
    labels: Mapping[str, Any],
) -> Atoms:
    """Make a structure with its labels, whose positions are the same after reading a file."""
    atoms = Atoms(numbers=numbers, positions=np.round(positions, _DECIMALS), cell=cell, pbc=pbc)
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


def kept_info(info: Mapping[str, Any]) -> dict[str, int | str]:
    """Take the integers and strings that may tell which system a structure is of."""
    return {
        key: value if isinstance(value, str) else int(value)
        for key, value in info.items()
        if isinstance(value, str | int | np.integer) and key not in all_properties
    }


def has_labels(frames: Sequence[Atoms], name: str) -> bool:
    """Whether frames have energies, or forces: all of them, or none."""
    labels = [frame.calc.results.get(name) for frame in frames]
    lacking = [i for i, label in enumerate(labels) if label is None or not np.isfinite(label).all()]
    if lacking and any(label is not None for label in labels):
        raise ValueError(
            f"Expected {name} of all training frames, without NaN, or of none; "
            f"{len(lacking)} of {len(frames)} lack them: the first is frame {lacking[0]}."
        )
    return not lacking


def fingerprint(frames: Iterable[Atoms]) -> str:
    """Digest the structures and their order."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(np.append(len(frame), frame.numbers).astype("<i8").tobytes())
        digest.update(np.asarray(frame.pbc, bool).tobytes())
        for lengths in (frame.positions, frame.cell.array):
            digest.update((lengths + 0.0).astype("<f8").tobytes())  # -0.0 becomes 0.0
    return digest.hexdigest()


def save_frames(path: Path, frames: list[Atoms]) -> None:
    """Write structures, with their labels, to a file of extended XYZ."""
    write_text_whole(path, lambda file: ase.io.write(file, frames, format="extxyz"))


def load_frames(path: Path) -> list[Atoms]:
    """Read structures from a file of extended XYZ."""
    return list(ase.io.iread(path, index=":", format="extxyz"))
