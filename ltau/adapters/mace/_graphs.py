"""Structures as a MACE model's input, checked before the model runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from ase import Atoms
from mace import data
from mace.tools import AtomicNumberTable, torch_geometric
from numpy.typing import NDArray
from tqdm import tqdm

from ltau._batches import batches
from ltau.adapters._forces.checks import check_atoms
from ltau.adapters.mace._models import MACEModel

__all__ = ["Graphs", "batches_of_graphs", "lengths_of", "without_neighbors"]

Graphs = dict[str, torch.Tensor]


def batches_of_graphs(
    frames: Sequence[Atoms],
    model: MACEModel,
    head: str,
    size: int,
    what: str,
    progress: bool = False,
) -> Iterator[Graphs]:
    """Give structures, some at a time, as a model's input, where the model is.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        The structures.
    model : MACEModel
        The model.
    head : str
        Of the model.
    size : int
        How many at a time.
    what : str
        What the progress bar says.
    progress : bool, default=False
        Whether to show it.

    Yields
    ------
    dict
        The model's input.
    """
    with tqdm(total=len(frames), desc=what, disable=not progress) as bar:
        for part in batches(len(frames), size):
            graphs = []
            for number in range(len(frames))[part]:
                check_atoms(frames[number], model.known, f"frame {number}")
                graphs.append(_graph(frames[number], model, head))
            batch = torch_geometric.Batch.from_data_list(graphs)
            yield batch.to(model.device).to_dict()
            bar.update(len(graphs))


def without_neighbors(graphs: Graphs) -> NDArray[np.bool_]:
    """Mark the atoms of structures in which no atom has a neighbour.

    Parameters
    ----------
    graphs : dict
        A model's input.

    Returns
    -------
    ndarray of shape (n_atoms,), bool
        Whether nothing tells the atoms of a structure apart. An atom alone in a structure
        that has neighbours is not marked: it may be known that such atoms are alone.
    """
    edges = graphs["edge_index"]
    structures = graphs["batch"]
    if len(graphs["ptr"]) == 2:  # one structure, as in dynamics
        return np.full(len(structures), not edges.shape[1])
    known = torch.zeros_like(structures, dtype=torch.bool)  # there are no more than atoms
    known[structures[edges[0]]] = True
    unknown: NDArray[np.bool_] = ~known[structures].cpu().numpy()
    return unknown


def lengths_of(graphs: Graphs) -> torch.Tensor:
    """Measure the edges of a model's input, shape (n_edges,)."""
    positions = graphs["positions"].detach()
    sender, receiver = graphs["edge_index"]
    vectors = positions[receiver] - positions[sender] + graphs["shifts"].detach()
    return vectors.square().sum(dim=1).sqrt()


def _graph(atoms: Atoms, model: MACEModel, head: str) -> data.AtomicData:
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)  # without labels
    with _default_dtype(model.dtype):
        return data.AtomicData.from_config(
            data.config_from_atoms(bare, head_name=head),
            z_table=AtomicNumberTable(model.numbers),
            cutoff=model.cutoff,
            heads=list(model.heads),
        )


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Set what MACE makes its tensors of; its own function forgets it where something fails."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
