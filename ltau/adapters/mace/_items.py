"""What MACE trains on, item by item: as structures, and with the numbers of their atoms."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from ase import Atoms
from mace.data import utils
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ltau.adapters._forces.frames import fingerprint, kept_info, labelled_atoms

__all__ = ["ATOM_KEY", "Infos", "Items", "NumberedItems", "infos_of_what_is_read", "labelled_items"]

ATOM_KEY = "ltau_atom"

# Of the numbers and positions of a structure: the integers and strings of its `atoms.info`.
Infos = dict[bytes, Mapping[str, int | str]]


class Items(NamedTuple):
    """The items of a dataset that are recorded.

    Parameters
    ----------
    frames : list of ase.Atoms
        The structures with their forces, each once.
    places : list of int
        The first place of each in the dataset.
    first_atoms : ndarray of shape (n_items,), intp
        Of every item of the dataset the number of its first atom; -1 where it is not recorded.
    """

    frames: list[Atoms]
    places: list[int]
    first_atoms: NDArray[np.intp]


class NumberedItems(Dataset[Any]):
    """Items of a dataset of MACE, each with the numbers of its atoms.

    The numbers travel with the data, through samplers, workers and batches; the model does not
    look at them. Atoms that are not recorded have -1.

    Parameters
    ----------
    dataset : dataset or sequence
        The items.
    first_atoms : ndarray of shape (n_items,), intp
        Number of the first atom of each; -1 where it is not recorded.
    """

    def __init__(self, dataset: Any, first_atoms: NDArray[np.intp]) -> None:
        self.dataset = dataset
        self._first_atoms = first_atoms

    def __len__(self) -> int:
        return len(self._first_atoms)

    def __getitem__(self, index: int) -> Any:
        item = copy.copy(self.dataset[index])  # the original is used after the training too
        first, n_atoms = int(self._first_atoms[index]), len(item.positions)
        item[ATOM_KEY] = (
            torch.full((n_atoms,), -1) if first < 0 else torch.arange(first, first + n_atoms)
        )
        return item


def labelled_items(dataset: Any, numbers: Sequence[int], head: int, infos: Infos) -> Items:
    """Find the items of a head that have forces.

    An item that is there several times, as MACE repeats those of a small data set beside a large
    one to replay, counts once: all have the same numbers.

    Parameters
    ----------
    dataset : dataset or sequence
        The items, as MACE has them.
    numbers : sequence of int
        The atomic numbers that the model knows, in its order.
    head : int
        The head.
    infos : dict
        What is known of the structures that were read from files.

    Returns
    -------
    Items
        The items.

    Raises
    ------
    ValueError
        If forces are NaN or infinite.
    """
    found: list[Atoms] = []
    places: list[int] = []
    known: dict[tuple[str, bytes], int] = {}  # numbers of first atoms
    first_atoms = np.full(len(dataset), -1)
    n_atoms = 0
    for place in range(len(dataset)):
        item = dataset[place]
        if int(item.head) != head or not float(item.weight * item.forces_weight) > 0:
            continue
        if not bool(item.forces.isfinite().all()):
            raise ValueError(
                f"Expected finite forces, got NaN or infinity in structure {place} of the "
                "training or validation set."
            )
        frame = _structure(item, numbers, infos)
        name = fingerprint([frame]), frame.calc.results["forces"].tobytes()
        if name not in known:
            known[name] = n_atoms
            n_atoms += len(frame)
            found.append(frame)
            places.append(place)
        first_atoms[place] = known[name]
    return Items(found, places, first_atoms)


@contextmanager
def infos_of_what_is_read() -> Iterator[Infos]:
    """Note the `atoms.info` of the structures that MACE reads from files, and forgets."""
    infos: Infos = {}
    original = utils.config_from_atoms

    def noting(atoms: Atoms, *args: Any, **kwargs: Any) -> Any:
        infos[_name(atoms.numbers, atoms.positions)] = kept_info(atoms.info)
        return original(atoms, *args, **kwargs)

    utils.config_from_atoms = noting
    try:
        yield infos
    finally:
        utils.config_from_atoms = original


def _structure(item: Any, numbers: Sequence[int], infos: Infos) -> Atoms:
    known = np.asarray(numbers)[item.node_attrs.argmax(dim=1).numpy()]
    positions = item.positions.numpy()
    pbc = item.pbc.numpy().ravel()
    cell = np.where(pbc[:, None], item.cell.numpy(), 0.0)  # MACE makes up what is not periodic
    frame = labelled_atoms(
        known, positions.astype(float), cell.astype(float), pbc, {"forces": item.forces.numpy()}
    )
    frame.info.update(infos.get(_name(known, positions), {}))
    return frame


def _name(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> bytes:
    """Name a structure by what is left of it in the precision of a training."""
    return numbers.astype("<i8").tobytes() + positions.astype("<f4").tobytes()
