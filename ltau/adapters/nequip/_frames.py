"""The frames that nequip trains on: their numbers in a log, and what they are as structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from nequip.data import AtomicDataDict, register_fields
from nequip.data.dataset import ASEDataset
from torch.utils.data import Dataset, Subset

from ltau.adapters._forces.frames import kept_info, labelled_atoms
from ltau.structures import iread

__all__ = ["ATOM_KEY", "FRAME_KEY", "NumberedFrames", "read_frames"]

FRAME_KEY, ATOM_KEY = "ltau_frame", "ltau_atom"

# On import, so that processes that load data, which get no more than a dataset, know them too.
register_fields(graph_fields=[FRAME_KEY], node_fields=[ATOM_KEY], long_fields=[FRAME_KEY, ATOM_KEY])

Data = dict[str, torch.Tensor]


class NumberedFrames(Dataset[Data]):
    """Frames of a dataset, each with its own number and those of its atoms.

    A frame's number is its place in the dataset; its atoms follow those of the frame
    before. The numbers travel with the data, through samplers, workers and batches; the
    model does not get to see them.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        The frames, as nequip has them.
    n_atoms : sequence of int
        Number of atoms of each frame.
    """

    def __init__(self, dataset: Dataset[Data], n_atoms: Sequence[int]) -> None:
        self.dataset = dataset
        self._first_atom = np.cumsum([0, *n_atoms])

    def __len__(self) -> int:
        return len(self._first_atom) - 1

    def __getitem__(self, index: int) -> Data:
        return self._numbered(index, self.dataset[index])

    def __getitems__(self, indices: Sequence[int]) -> list[Data]:
        """Give a whole batch, at once where the dataset can."""
        fetch = getattr(self.dataset, "__getitems__", None)
        items = fetch(indices) if callable(fetch) else [self.dataset[i] for i in indices]
        return [self._numbered(*item) for item in zip(indices, items, strict=True)]

    def _numbered(self, index: int, data: Data) -> Data:
        first, end = self._first_atom[index : index + 2].tolist()
        return {
            **data,
            FRAME_KEY: torch.tensor([[int(index)]]),
            ATOM_KEY: torch.arange(first, end)[:, None],
        }


def read_frames(dataset: Any) -> list[Atoms]:
    """Read the structures of a dataset of nequip, with the energies and forces it has.

    Positions are rounded to what a file holds, so that they are the same after reading it.
    Where the dataset is a file that ASE reads, integers and strings of ``atoms.info`` are
    kept: they may tell which system or trajectory a structure is of.
    """
    frames = [_to_atoms(dataset[number], number) for number in range(len(dataset))]
    for frame, info in zip(frames, _infos(dataset), strict=True):
        frame.info.update(info)
    return frames


def _infos(dataset: Any) -> list[dict[str, int | str]]:
    """Read what is said of each structure in its file, and nequip leaves there."""
    if isinstance(dataset, Subset):
        whole = _infos(dataset.dataset)
        return [whole[number] for number in dataset.indices]
    if not isinstance(dataset, ASEDataset):
        return [{}] * len(dataset)
    return [kept_info(atoms.info) for atoms in iread(**dataset.ase_args, parallel=False)]


def _to_atoms(data: Data, number: int) -> Atoms:
    if AtomicDataDict.ATOMIC_NUMBERS_KEY not in data:
        raise ValueError(
            f"Expected frames with {AtomicDataDict.ATOMIC_NUMBERS_KEY!r}, "
            f"got {sorted(data)} in frame {number}."
        )
    arrays = {key: value.numpy() for key, value in data.items()}
    cell, pbc = arrays.get(AtomicDataDict.CELL_KEY), arrays.get(AtomicDataDict.PBC_KEY)
    labels = {}
    if AtomicDataDict.TOTAL_ENERGY_KEY in arrays:
        labels["energy"] = arrays[AtomicDataDict.TOTAL_ENERGY_KEY].item()
    if AtomicDataDict.FORCE_KEY in arrays:
        labels["forces"] = arrays[AtomicDataDict.FORCE_KEY]
    return labelled_atoms(
        arrays[AtomicDataDict.ATOMIC_NUMBERS_KEY].ravel(),
        arrays[AtomicDataDict.POSITIONS_KEY],
        None if cell is None else cell.reshape(3, 3),
        None if pbc is None else pbc.ravel(),
        labels,
    )
