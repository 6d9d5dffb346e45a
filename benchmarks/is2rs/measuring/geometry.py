"""Which atoms of a path are watched, and how far atoms are from where they were."""

from __future__ import annotations

import numpy as np
from ase.geometry import find_mic, minkowski_reduce
from numpy.typing import NDArray

from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import SURFACE

__all__ = ["minimum_image_distances", "watched_atoms"]

Floats = NDArray[np.float64]


def watched_atoms(path: Path) -> NDArray[np.bool_]:
    """Tell the atoms of the adsorbate and of the surface that are free.

    Parameters
    ----------
    path : Path
        The path.

    Returns
    -------
    ndarray of shape (n_atoms,), bool
        Errors of forces, predicted and true, count on these atoms.

    Raises
    ------
    ValueError
        If there are none.
    """
    watched: NDArray[np.bool_] = path.free & (path.tags >= SURFACE)
    if not watched.any():
        raise ValueError(
            "Expected free atoms tagged as surface (1) or adsorbate (2), "
            f"got {path.free.sum()} free atoms of {len(path.free)}, "
            f"and the tags {np.unique(path.tags).tolist()}."
        )
    return watched


def minimum_image_distances(start: Floats, end: Floats, cell: Floats) -> Floats:
    """Compute how far atoms have moved, to the nearest of their periodic images.

    Parameters
    ----------
    start, end : ndarray of shape (..., n_atoms, 3)
        Positions, in Å, wrapped into the cell or not; shapes are broadcast.
    cell : ndarray of shape (3, 3)
        The lattice, in Å, periodic in all directions.

    Returns
    -------
    ndarray of shape (..., n_atoms)
        Distances, in Å.
    """
    moved = end - start
    # In a reduced cell the shortest edge is the shortest lattice vector, which ASE relies on.
    reduced, _ = minkowski_reduce(cell)
    _, lengths = find_mic(moved.reshape(-1, 3), reduced)
    distances: Floats = lengths.reshape(moved.shape[:-1])
    return distances
