"""Structures as a NequIP model's input, checked before the model runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from ase import Atoms
from nequip.data import AtomicDataDict, from_ase
from numpy.typing import NDArray
from tqdm import tqdm

from ltau._batches import batches
from ltau.adapters._forces.checks import check_atoms, check_geometry
from ltau.adapters.nequip._models import NequIPModel

__all__ = ["Fields", "batches_of_fields", "fields_of", "without_neighbors"]

Fields = dict[str, torch.Tensor]

_GEOMETRY = (
    AtomicDataDict.POSITIONS_KEY,
    AtomicDataDict.CELL_KEY,
    AtomicDataDict.PBC_KEY,
    AtomicDataDict.ATOMIC_NUMBERS_KEY,
)


def batches_of_fields(
    frames: Any, model: NequIPModel, size: int, what: str, progress: bool = False
) -> Iterator[Fields]:
    """Give structures, some at a time, as a model's input, where the model is.

    Parameters
    ----------
    frames : sequence of ase.Atoms, or dataset of nequip
        The structures.
    model : NequIPModel
        The model; a compiled one takes one structure at a time.
    size : int
        How many at a time.
    what : str
        What the progress bar says.
    progress : bool, default=False
        Whether to show it.

    Yields
    ------
    dict
        The model's input. Must be asked for under `nequip_state`.
    """
    with tqdm(total=len(frames), desc=what, disable=not progress) as bar:
        for part in batches(len(frames), 1 if model.compiled else size):
            numbers = range(len(frames))[part]
            batch = [fields_of(frames[number], model, f"frame {number}") for number in numbers]
            joined = batch[0] if model.compiled else AtomicDataDict.batched_from_list(batch)
            yield AtomicDataDict.to_(joined, model.device)
            bar.update(len(batch))


def fields_of(frame: Atoms | Mapping[str, torch.Tensor], model: NequIPModel, name: str) -> Fields:
    """Give a structure the model's atom types and neighbours.

    Parameters
    ----------
    frame : ase.Atoms or mapping
        The structure, or an item of a nequip dataset. Of an item's fields only the
        geometry is taken: its types and neighbours may be those of another model.
    model : NequIPModel
        The model.
    name : str
        What errors call the structure.

    Returns
    -------
    dict
        The model's input, on the CPU. Must be called under `nequip_state`.
    """
    if isinstance(frame, Mapping):
        if AtomicDataDict.ATOMIC_NUMBERS_KEY not in frame:
            raise ValueError(f"Expected {name} to have atomic numbers, got {', '.join(frame)}.")
        fields = {key: frame[key] for key in _GEOMETRY if key in frame}
        numbers = fields[AtomicDataDict.ATOMIC_NUMBERS_KEY].numpy().ravel()
        check_geometry(numbers, [fields[AtomicDataDict.POSITIONS_KEY].numpy()], model.known, name)
    else:
        check_atoms(frame, model.known, name)
        bare = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
        fields = from_ase(bare)  # without the labels, which need not be well formed
    for transform in model.transforms:
        fields = transform(fields)
    return fields


def without_neighbors(fields: Fields) -> NDArray[np.bool_]:
    """Mark the atoms of structures in which no atom has a neighbour.

    Parameters
    ----------
    fields : dict
        A model's input, of one structure or several.

    Returns
    -------
    ndarray of shape (n_atoms,), bool
        Whether nothing tells the atoms of a structure apart. An atom alone in a structure
        that has neighbours is not marked: it may be known that such atoms are alone.
    """
    edges = fields[AtomicDataDict.EDGE_INDEX_KEY]
    if AtomicDataDict.BATCH_KEY not in fields:
        return np.full(len(fields[AtomicDataDict.POSITIONS_KEY]), not edges.shape[1])
    structures = fields[AtomicDataDict.BATCH_KEY]
    known = torch.zeros_like(structures, dtype=torch.bool)  # there are no more than atoms
    known[structures[edges[0]]] = True
    unknown: NDArray[np.bool_] = ~known[structures].cpu().numpy()
    return unknown
