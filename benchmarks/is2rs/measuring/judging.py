"""What became of a relaxation, by all that the reference method can say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from benchmarks.is2rs.measuring.labels import Judgement
from benchmarks.is2rs.relaxing.force_field import ForceField
from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import System

__all__ = ["Relaxed", "along_reference", "with_truth"]

_N_REFERENCE = 50  # frames of a reference path that the force field is tried on

Forces = Callable[[Atoms], NDArray[np.float64]]


@dataclass(frozen=True)
class Relaxed:
    """A system that the force field has relaxed.

    Parameters
    ----------
    system : System
        The system.
    fold : str
        Name of the model.
    path : Path
        The relaxation, with its true errors where they are known.
    reference : Path or None
        What the force field says along the path of the reference method, if that has forces.
    judgement : Judgement
        Values and labels.
    final_force : float or None
        The largest force on a free atom, in eV/Å, that the reference method finds where the
        relaxation ends; None if it cannot be asked.
    step_seconds, forward_seconds : float
        What a step costs with uncertainty, and energy and forces alone, on the same structures.
    """

    system: System
    fold: str
    path: Path
    reference: Path | None
    judgement: Judgement
    final_force: float | None
    step_seconds: float
    forward_seconds: float


def with_truth(path: Path, reference_forces: Forces) -> tuple[Path, float]:
    """Ask the reference method about every step.

    Parameters
    ----------
    path : Path
        A relaxation by the force field.
    reference_forces : callable
        Gives the true forces on a structure, in eV/Å.

    Returns
    -------
    path : Path
        The relaxation, with its true errors.
    final_force : float
        The largest true force on a free atom at its end, in eV/Å.
    """
    truth = np.array(
        [
            reference_forces(Atoms(path.numbers, positions, cell=path.cell, pbc=True))
            for positions in path.positions
        ]
    )
    true_error = np.linalg.norm(path.forces - truth, axis=2)
    final_force = np.linalg.norm(truth[-1, path.free], axis=1).max()
    return replace(path, true_error=true_error), float(final_force)


def along_reference(system: System, force_field: ForceField) -> Path | None:
    """Try the force field on the path of the reference method, if that has forces.

    Parameters
    ----------
    system : System
        The system.
    force_field : ForceField
        The force field.

    Returns
    -------
    Path or None
        Up to 50 frames, evenly along the path, with true errors.
    """
    rows = np.linspace(0, len(system.frames) - 1, _N_REFERENCE).round().astype(int)
    frames = [system.frames[row] for row in np.unique(rows)]
    if any("forces" not in frame.calc.results for frame in frames):
        return None
    return force_field.follow(system, frames)
