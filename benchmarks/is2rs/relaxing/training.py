"""Models of a fold, and the estimator of the errors of the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from benchmarks.harness import nequip_training
from benchmarks.harness.files import whole_folder
from benchmarks.harness.nequip_training import Training
from benchmarks.is2rs.sources.systems import DataError, System
from benchmarks.methods.domains import SYSTEM
from ltau.structures import FORCE_FIELD

__all__ = ["fit", "frames_to_train_on", "hold_out", "train"]

_HELD_OUT_SHARE = 0.1  # of the systems, at least one: what predicted errors are calibrated on


def train(
    training: Training, seed: int, systems: Sequence[System], n_frames: int, folder: Path
) -> None:
    """Train one model, unless its folder is there.

    Parameters
    ----------
    training : Training
        How.
    seed : int
        Seed of the model.
    systems : sequence of System
        What it learns from. Some of them, as a whole, are held out to validate with.
    n_frames : int
        How many frames of each system are taken, evenly along its path.
    folder : Path
        Where the checkpoint and the recorded errors are left.

    Raises
    ------
    DataError
        If there are fewer than two systems.
    RuntimeError
        If nequip-train fails.
    """
    if folder.is_dir():
        return
    if len(systems) < 2:
        raise DataError(f"Expected at least 2 systems to learn from, got {len(systems)}.")
    held_out, learnt = (
        [frame for system in part for frame in frames_to_train_on(system, n_frames)]
        for part in hold_out(systems)
    )
    with whole_folder(folder) as partial:
        nequip_training.train(training, seed, learnt, held_out, partial)


def hold_out(systems: Sequence[System]) -> tuple[Sequence[System], Sequence[System]]:
    """Divide systems into those that are held out, and those that a model learns from."""
    n_held_out = max(1, round(_HELD_OUT_SHARE * len(systems)))
    return systems[:n_held_out], systems[n_held_out:]


def frames_to_train_on(system: System, n_frames: int) -> list[Atoms]:
    """Take frames of a system, with its name, their raw forces and their adsorption energies.

    Where the reference energy is unknown, energies are counted from the first frame. A DataError
    says that there are no forces.
    """
    if any("forces" not in frame.calc.results for frame in system.frames):
        raise DataError(
            f"Expected forces on the frames of {system.sid} to learn from, found none: give a "
            "trained model."
        )
    first = system.initial.get_potential_energy()
    zero = first if system.reference_energy is None else system.reference_energy
    rows = np.unique(np.linspace(0, len(system.frames) - 1, n_frames).round().astype(int))
    return [_labelled(system.frames[row], zero, system.sid) for row in rows]


def fit(run: Path, elements: Set[str], path: Path) -> None:
    """Fit an estimator to a training, and calibrate it on the systems that were held out.

    Parameters
    ----------
    run : Path
        Folder of the training.
    elements : set of str
        What is going to be met.
    path : Path
        Where the estimator is saved. Its strata may be the elements, if there are enough training
        atoms of each.
    """
    from ltau.adapters.nequip import fit_run

    learnt = Counter(
        symbol
        for atoms in ase.io.iread(run / nequip_training.TRAINING_FRAMES, ":")
        for symbol in atoms.get_chemical_symbols()
    )
    most = FORCE_FIELD["n_neighbors"]
    enough = all(learnt[symbol] > most for symbol in elements | learnt.keys())
    fit_run(run, strata="auto" if enough else None, groups=SYSTEM).save(path)


def _labelled(atoms: Atoms, zero: float, sid: str) -> Atoms:
    """Copy a frame without its constraints, which would hide forces."""
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True, info={SYSTEM: sid})
    bare.calc = SinglePointCalculator(
        bare,
        energy=atoms.get_potential_energy() - zero,
        forces=atoms.get_forces(apply_constraint=False),
    )
    return bare
