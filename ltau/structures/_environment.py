"""Latents of atoms together with those of their neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from ltau._inputs.numbers import as_real, check_positive
from ltau._maths.environment import edge_weights, environment
from ltau.structures._neighbors import pairs_within

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["environment_latents"]


def environment_latents(
    latents: ArrayLike, frames: Iterable[Atoms], cutoff: float = 3.5
) -> NDArray[np.float32]:
    r"""Add to each atom's latents those of its neighbours.

    The force on an atom depends on its neighbours' energies, and so on their latents:

    .. math:: \bigl[z_i,\; \bar z_i,\; \bar{\bar z}_i\bigr], \qquad
        \bar z_i = \frac{\epsilon z_i + \sum_j f(r_{ij}) z_j}{\epsilon + \sum_j f(r_{ij})},
        \qquad f(r) = \tfrac12 \Bigl(1 + \cos \frac{\pi r}{r_\text{c}}\Bigr)

    where :math:`\bar{\bar z}` is made from :math:`\bar z` as that is from :math:`z`, the
    sums go over all atoms nearer than the cutoff :math:`r_\text{c}`, periodic images among
    them, and :math:`\epsilon = 0.01`. An atom without neighbours has its own latents three
    times.

    Parameters
    ----------
    latents : array-like of shape (n_atoms, n_features)
        Latents of all atoms, frame by frame.
    frames : iterable of ase.Atoms
        The structures, in the same order.
    cutoff : float, default=3.5
        Distance from which on an atom is not a neighbour, in Å.

    Returns
    -------
    ndarray of shape (n_atoms, 3 * n_features), float32
        Environment latents: smooth in the positions, and invariant to whatever the
        latents are invariant to. Computed in float64.

    Raises
    ------
    TypeError
        If `frames` are not structures, or one structure alone.
    ValueError
        If there is not one row of latents for each atom; a latent is NaN or infinite, as
        is a position; or the cutoff is not positive.

    Examples
    --------
    >>> from ase import Atoms
    >>> from ltau.structures import environment_latents
    >>> pair = Atoms("H2", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
    >>> environment_latents([[0.0], [1.0]], [pair]).round(2)
    array([[0.  , 0.98, 0.03],
           [1.  , 0.02, 0.97]], dtype=float32)
    """
    structures = _structures(frames)
    reach = check_positive(cutoff, "cutoff")
    rows = as_real(latents, "latents").astype(np.float64, copy=False)
    n_atoms = sum(map(len, structures))
    if rows.ndim != 2 or len(rows) != n_atoms:
        raise ValueError(
            f"Expected latents of shape ({n_atoms}, n_features), a row for each atom of the "
            f"frames, got shape {rows.shape}."
        )
    if not np.isfinite(rows).all():
        raise ValueError("Expected finite latents, got NaN or infinity.")
    weights = _weights(structures, reach)
    total = np.asarray(weights.sum(axis=1))[:, None]
    return environment(np, rows, total, weights.__matmul__).astype(np.float32)


def _structures(frames: Any) -> list[Any]:
    """List the structures; a single one is an iterable too, of its atoms."""
    from ase import Atoms

    structures = [] if isinstance(frames, Atoms) else list(frames)
    if not structures or not all(isinstance(atoms, Atoms) for atoms in structures):
        got = type(structures[0] if structures else frames).__name__
        raise TypeError(f"Expected a list of ase.Atoms, at least one, got {got}.")
    return structures


def _weights(structures: Sequence[Any], cutoff: float) -> csr_array:
    """Weigh each atom's neighbours: a sparse matrix of shape (n_atoms, n_atoms)."""
    pairs, first = [], 0
    for number, structure in enumerate(structures):
        if not (np.isfinite(structure.positions).all() and np.isfinite(structure.cell).all()):
            raise ValueError(
                f"Expected finite positions and cell, got NaN or infinity in frame {number}."
            )
        if len(structure):
            atoms, neighbors, distances = pairs_within(structure, cutoff)
            pairs.append((first + atoms, first + neighbors, distances))
        first += len(structure)
    if not pairs:
        return csr_array((0, 0))
    of, to, apart = map(np.concatenate, zip(*pairs, strict=True))
    return csr_array((edge_weights(np, apart, cutoff), (of, to)), shape=(first, first))
