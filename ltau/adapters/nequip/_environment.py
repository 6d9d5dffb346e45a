"""Environment latents on the edges of NequIP's input, and how far these reach."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from nequip.data import AtomicDataDict
from nequip.data.transforms import NeighborListTransform

from ltau.adapters._forces.edges import environment_on_edges
from ltau.adapters.nequip._fields import Fields

__all__ = ["environment_of", "reach_of"]


def environment_of(latents: torch.Tensor, fields: Fields, cutoff: float) -> torch.Tensor:
    """Make environment latents, as `ltau.structures.environment_latents` does.

    Parameters
    ----------
    latents : Tensor of shape (n_atoms, n_features)
        What the model gave.
    fields : dict
        What it was given: positions, edges and cells.
    cutoff : float
        Distance from which on an atom is no neighbour; no more than that of the edges.

    Returns
    -------
    Tensor of shape (n_atoms, 3 * n_features)
        Environment latents, of the dtype of the latents.
    """
    edges = fields[AtomicDataDict.EDGE_INDEX_KEY]
    return environment_on_edges(latents, edges, _lengths(fields, *edges), cutoff)


def reach_of(transforms: Iterable[torch.nn.Module]) -> float:
    """Find within which distance all atoms are joined by edges; infinite if nothing tells."""
    return min((_reach(part) for part in transforms), default=torch.inf)


def _lengths(fields: Fields, atoms: torch.Tensor, neighbors: torch.Tensor) -> torch.Tensor:
    positions = fields[AtomicDataDict.POSITIONS_KEY].detach()
    vectors = positions[neighbors] - positions[atoms]
    if AtomicDataDict.CELL_KEY in fields:
        cells = fields[AtomicDataDict.CELL_KEY].detach().view(-1, 3, 3)
        if AtomicDataDict.BATCH_KEY in fields:
            cells = cells[fields[AtomicDataDict.BATCH_KEY][atoms]]
        shifts = fields[AtomicDataDict.EDGE_CELL_SHIFT_KEY]
        vectors = vectors + (shifts[:, :, None] * cells).sum(dim=1)
    return vectors.square().sum(dim=1).sqrt()


def _reach(transform: Any) -> float:
    """Find the shortest cutoff by which a transform makes edges; infinite where it makes none."""
    if not isinstance(transform, NeighborListTransform):
        return torch.inf
    of_types = transform.per_edge_type_cutoff or {}
    cutoffs = [
        least
        for part in of_types.values()
        for least in (part.values() if isinstance(part, dict) else [part])
    ]
    return float(min([transform.r_max, *cutoffs]))
