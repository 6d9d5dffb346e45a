"""A force field, the estimator of its errors, and the ensemble that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path as FilePath

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray

from benchmarks.harness.nequip_passes import passes
from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import System, free_atoms
from ltau import LTAUEstimator
from ltau.adapters.nequip import UncertainNequIPCalculator, load_model
from ltau.structures import environment_cutoff, environment_latents

__all__ = ["ForceField", "Models"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Models:
    """Files of a force field.

    Parameters
    ----------
    checkpoint, estimator : Path
        The model, and the estimator of its errors.
    members : tuple of Path
        Further models, which make an ensemble with it; none if empty.
    tolerance : float
        Error of a force that is asked about, in eV/Å.
    """

    checkpoint: FilePath
    estimator: FilePath
    members: tuple[FilePath, ...]
    tolerance: float


class ForceField:
    """A model with all that predicts its errors.

    Parameters
    ----------
    models : Models
        Its files.
    """

    def __init__(self, models: Models) -> None:
        self.model = load_model(models.checkpoint)
        self.members = [load_model(member) for member in models.members]
        self.estimator = LTAUEstimator.load(models.estimator)
        self.tolerance = models.tolerance

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls, models: Models) -> ForceField:
        """Load a force field, once in a process; it computes on one thread then."""
        torch.set_num_threads(1)
        return cls(models)

    @cached_property
    def calculator(self) -> UncertainNequIPCalculator:
        """The calculator of energy, forces and uncertainties, in one pass."""
        return UncertainNequIPCalculator.from_model(
            self.model, self.estimator, tolerance=self.tolerance, keep_latents=True
        )

    def distances(self, latents: NDArray[np.floating], numbers: NDArray[np.int64]) -> Floats:
        """Measure mean distances to the nearest neighbours.

        Parameters
        ----------
        latents : ndarray of shape (n_steps, n_atoms, n_features)
            Latents of the atoms, as the estimator knows them.
        numbers : ndarray of shape (n_atoms,)
            Their atomic numbers.

        Returns
        -------
        ndarray of shape (n_steps, n_atoms)
            Means over the neighbours.
        """
        rows = latents.reshape(-1, latents.shape[-1])
        found, _ = self.estimator.kneighbors(rows, strata=self._strata(numbers, len(latents)))
        return found.mean(axis=1).reshape(latents.shape[:2])

    def spread(self, atoms: Atoms, positions: Floats) -> Floats:
        """Compute the standard deviation of the ensemble's forces along a path.

        Parameters
        ----------
        atoms : ase.Atoms
            What moves.
        positions : ndarray of shape (n_steps, n_atoms, 3)
            Where it is.

        Returns
        -------
        ndarray of shape (n_steps, n_atoms), or of (0, 0) without an ensemble
            Roots of the mean squared distance of the forces from their mean, in eV/Å.
        """
        if not self.members:
            return np.empty((0, 0))
        frames = [Atoms(atoms.numbers, at, cell=atoms.cell, pbc=True) for at in positions]
        forces = np.stack(
            [passes(model, frames).forces for model in (self.model, *self.members)]
        ).reshape(-1, *positions.shape)
        around = forces - forces.mean(axis=0)
        spread: Floats = np.sqrt((around**2).sum(axis=3).mean(axis=0))
        return spread

    def follow(self, system: System, frames: Sequence[Atoms]) -> Path:
        """Predict the errors on given structures of a system, whose true forces are known.

        Parameters
        ----------
        system : System
            The system.
        frames : sequence of ase.Atoms
            Structures of it with forces.

        Returns
        -------
        Path
            A step for each structure.
        """
        numbers = frames[0].numbers
        shape = len(frames), len(numbers)
        found = passes(self.model, frames)
        strata = self._strata(numbers, len(frames))
        latents, cutoff = found.latents, environment_cutoff(self.estimator)
        if cutoff is not None:
            latents = environment_latents(latents, frames, cutoff)
        distribution, ood_score = self.estimator.predict_distribution(
            latents, strata, return_ood_score=True
        )
        truth = np.array([atoms.get_forces(apply_constraint=False) for atoms in frames])
        forces = found.forces.reshape(*shape, 3).astype(np.float64)
        positions = np.array([atoms.positions for atoms in frames])
        return Path(
            numbers=numbers,
            tags=system.initial.get_tags(),
            free=free_atoms(system.initial),
            cell=system.initial.cell.array,
            positions=positions,
            forces=forces,
            energy=found.energies,
            expected_error=distribution.mean().reshape(shape),
            exceedance=1.0 - distribution.cdf(self.tolerance).reshape(shape),
            ood_score=ood_score.reshape(shape),
            distance=self.distances(latents.reshape(*shape, -1), numbers),
            spread=self.spread(frames[0], positions),
            true_error=np.linalg.norm(forces - truth, axis=2),
            converged=True,
        )

    def _strata(self, numbers: NDArray[np.int64], n_steps: int) -> NDArray[np.int64] | None:
        return None if self.estimator.strata_ is None else np.tile(numbers, n_steps)
