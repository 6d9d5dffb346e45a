"""Atoms within a distance of each other, across periodic boundaries too."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

__all__ = ["Pairs", "pairs_within"]

Floats = NDArray[np.float64]


class Pairs(NamedTuple):
    """Pairs of atoms; each appears both ways, and once for every image that is near."""

    atoms: NDArray[np.intp]
    neighbors: NDArray[np.intp]
    distances: Floats


def pairs_within(structure: Any, cutoff: float) -> Pairs:
    """Find all atoms, and periodic images, that are within a distance of each atom.

    Vacuum costs nothing, as it does in lists that divide the cell into boxes.

    Parameters
    ----------
    structure : ase.Atoms
        The structure, with finite positions.
    cutoff : float
        The distance.

    Returns
    -------
    Pairs
        The pairs. An atom is no neighbour of itself, but its images are.
    """
    places, images = _wrapped(structure, cutoff)
    n_atoms = len(places)
    all_places = (places + images[:, None]).reshape(-1, 3)
    near = (all_places >= places.min(axis=0) - cutoff) & (all_places <= places.max(axis=0) + cutoff)
    kept = np.flatnonzero(near.all(axis=1))
    found = KDTree(places).sparse_distance_matrix(
        KDTree(all_places[kept]), cutoff, output_type="ndarray"
    )
    atoms, others = found["i"], kept[found["j"]]
    true = atoms != others  # the first image is that of the atoms themselves
    return Pairs(atoms[true], others[true] % n_atoms, found["v"][true])


def _wrapped(structure: Any, cutoff: float) -> tuple[Floats, Floats]:
    """Move the atoms into the cell, and give the moves to its images, the first being none."""
    periodic = structure.pbc & structure.cell.any(1)
    cell = structure.cell.complete().array
    inverse = np.linalg.inv(cell)
    cells = np.floor(structure.positions @ inverse) * periodic
    most = np.ceil(cutoff * np.linalg.norm(inverse, axis=0)).astype(int) * periodic
    shifts = itertools.product(*(sorted(range(-n, n + 1), key=abs) for n in most))
    return structure.positions - cells @ cell, np.array(list(shifts)) @ cell
