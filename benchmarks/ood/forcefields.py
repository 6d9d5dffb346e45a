"""NequIP models trained as a user would, and what they make of every structure."""

from __future__ import annotations

import resource
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

import ltau
from benchmarks.harness import nequip_training
from benchmarks.harness.cells import cached_arrays
from benchmarks.harness.nequip_training import CHECKPOINT, Training
from benchmarks.methods.domains import SYSTEM, Domain, Samples
from benchmarks.ood import acac, emt, slabs

__all__ = ["ForceField", "domain", "train"]

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ForceField:
    """What is trained, and on how much."""

    name: str  # "acac", "emt" or "slabs"
    elements: tuple[str, ...]
    r_max: float  # Å
    n_features: int
    n_epochs: int
    n_train: int
    n_test: int
    n_members: int  # of the ensemble; with 1 there is none

    def frames(self, cells: Path) -> dict[str, list[Atoms]]:
        """Give the structures of each part; those that are made are kept in `cells`."""
        if self.name == "emt":
            return emt.frames(self.n_train, self.n_test, cells)
        if self.name == "slabs":
            return slabs.frames(self.n_train, self.n_test, cells)
        return acac.frames(self.n_train, self.n_test)


def train(field: ForceField, seed: int, cells: Path) -> Arrays:
    """Train one model, unless that is done, and evaluate it on every structure.

    Parameters
    ----------
    field : ForceField
        What to train.
    seed : int
        Seed of the weights and of the order of the structures.
    cells : Path
        Where the results are kept.

    Returns
    -------
    dict of str to ndarray
        ``training_seconds`` and ``pass_seconds``, of the processor, the latter for an atom;
        ``step`` and ``eval``, errors while it trained; of each part ``PART/latents`` and
        ``PART/forces``.
    """
    config = asdict(field) | {"seed": seed, "ltau": ltau.__version__, "nequip": version("nequip")}
    del config["n_members"]
    return cached_arrays(cells, config, lambda: _train(field, seed, field.frames(cells)))


def _train(field: ForceField, seed: int, frames: dict[str, list[Atoms]]) -> Arrays:
    from ltau.log import ErrorLog

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = _seconds_of_children()
        training = Training(field.elements, field.r_max, field.n_features, field.n_epochs)
        nequip_training.train(training, seed, frames["train"], frames["validation"], folder)
        arrays: Arrays = {"training_seconds": np.array(_seconds_of_children() - before)}
        for mode in training.modes:
            arrays[mode] = np.asarray(ErrorLog(folder / mode / "forces")[:])
        return arrays | _evaluate(folder / CHECKPOINT, frames)


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _evaluate(checkpoint: Path, frames: dict[str, list[Atoms]]) -> Arrays:
    """Give latents and forces of every atom, and the time that one takes."""
    from benchmarks.harness.nequip_passes import passes
    from ltau.adapters.nequip import load_model

    model = load_model(checkpoint)
    found = {part: passes(model, structures) for part, structures in frames.items()}
    arrays: Arrays = {}
    for part, each in found.items():
        arrays |= {f"{part}/latents": each.latents, f"{part}/forces": each.forces}
    n_atoms = sum(len(each.forces) for each in found.values())
    seconds = sum(each.seconds for each in found.values())
    return arrays | {"pass_seconds": np.array(seconds / n_atoms)}


def domain(field: ForceField, seed: int, cells: Path) -> Domain:
    """Put together what the methods need to know of one of the models.

    Parameters
    ----------
    field : ForceField
        What was trained.
    seed : int
        The model; all models of the ensemble predict beside it.
    cells : Path
        Where the results are kept.

    Returns
    -------
    Domain
        Atoms, with the lengths of the errors of their forces in eV/Å.
    """
    models = [train(field, member, cells) for member in range(field.n_members)]
    frames = field.frames(cells)
    sizes = {f"Ensemble of {size}": size for size in (2, len(models)) if 1 < size <= len(models)}
    members = {
        name: [models[(seed + shift) % len(models)] for shift in range(size)]
        for name, size in sizes.items()
    }

    def samples(part: str, structures: list[Atoms]) -> Samples:
        truth = np.concatenate([atoms.get_forces() for atoms in structures])
        errors = np.linalg.norm(models[seed][f"{part}/forces"] - truth, axis=1)
        sizes = [len(atoms) for atoms in structures]
        systems = [str(atoms.info.get(SYSTEM, row)) for row, atoms in enumerate(structures)]
        return Samples(
            latents=models[seed][f"{part}/latents"],
            errors=errors,
            structures=np.repeat(np.arange(len(structures)), sizes),
            classes=np.concatenate([atoms.numbers for atoms in structures]),
            spreads={
                name: _spread(np.stack([model[f"{part}/forces"] for model in group]))
                for name, group in members.items()
            },
            systems=np.repeat(np.unique(systems, return_inverse=True)[1], sizes),
            frames=structures,
        )

    parts = {part: samples(part, structures) for part, structures in frames.items()}
    return Domain(
        train=parts.pop("train"),
        trajectories={mode: models[seed][mode] for mode in ("step", "eval")},
        validation=parts.pop("validation"),
        tests=parts,
        training_seconds=float(models[seed]["training_seconds"]),
        pass_seconds=float(models[seed]["pass_seconds"]),
        trainings=sizes,
        passes=sizes,
        unit="eV/Å",
    )


def _spread(forces: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root of the mean squared distance of the members' forces from their mean."""
    around = forces.astype(np.float64) - forces.mean(axis=0, dtype=np.float64)
    spread: NDArray[np.float64] = np.sqrt((around**2).sum(axis=2).mean(axis=0))
    return spread
