"""What is recorded of a path: one column per quantity, one row per step."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path as FilePath

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.files import whole
from benchmarks.is2rs.sources.systems import DataError

__all__ = ["Path"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """A path through structures of one system, with what the force field says of each.

    The first step is the initial structure. The path may be a relaxation by the force field, or
    that of the reference method.

    Parameters
    ----------
    numbers, tags : ndarray of shape (n_atoms,), int
        Atomic numbers; 0 beneath the surface, 1 on the surface, 2 of the adsorbate.
    free : ndarray of shape (n_atoms,), bool
        Which atoms move.
    cell : ndarray of shape (3, 3)
        The lattice, in Å, periodic in all directions.
    positions, forces : ndarray of shape (n_steps, n_atoms, 3)
        In Å; by the force field, without constraints, in eV/Å.
    energy : ndarray of shape (n_steps,)
        By the force field, in eV.
    expected_error : ndarray of shape (n_steps, n_atoms)
        Predicted error of the force, in eV/Å.
    exceedance : ndarray of shape (n_steps, n_atoms)
        P(error > tolerance).
    ood_score, distance : ndarray of shape (n_steps, n_atoms)
        Distance from the training domain relative to what is usual there, and the mean distance to
        the nearest neighbours itself.
    spread : ndarray of shape (n_steps, n_atoms), or of (0, 0)
        Standard deviation of the forces of an ensemble, in eV/Å; empty where there is none.
    true_error : ndarray of shape (n_steps, n_atoms), or of (0, 0)
        Length of the difference to the reference method's forces, in eV/Å; empty if unknown.
    converged : bool
        Whether the optimiser stopped because the forces were small enough.
    """

    numbers: NDArray[np.int64]
    tags: NDArray[np.int64]
    free: NDArray[np.bool_]
    cell: Floats
    positions: Floats
    forces: Floats
    energy: Floats
    expected_error: Floats
    exceedance: Floats
    ood_score: Floats
    distance: Floats
    spread: Floats
    true_error: Floats
    converged: bool

    def __len__(self) -> int:
        return len(self.energy)

    def save(self, path: FilePath) -> None:
        """Write the columns to a file, whole or not at all."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        with whole(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **columns)

    @classmethod
    def load(cls, path: FilePath) -> Path:
        """Read the columns again; a DataError says what is wrong with the file."""
        try:
            with path.open("rb") as opened, np.load(opened) as file:
                columns = {name: file[name] for name in file.files}
            columns["converged"] = bool(columns["converged"])
            return cls(**columns)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is not a whole path: {error}") from error
