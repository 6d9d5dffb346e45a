"""Adsorbates on slabs, as `benchmarks.is2rs` makes them: the paths of relaxations, by systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from benchmarks.harness.cells import cached_arrays
from benchmarks.is2rs.relaxing.training import frames_to_train_on, hold_out
from benchmarks.is2rs.sources import emt
from benchmarks.methods.domains import IN_DOMAIN, SYSTEM

__all__ = ["ELEMENTS", "frames"]

Arrays = dict[str, NDArray[Any]]

ELEMENTS = ("Ag", "Au", "C", "Cu", "H", "N", "O", "Pd", "Pt")
_N_FRAMES = 10  # of each system
_PARTS = {
    "val_id": IN_DOMAIN,
    "val_ood_ads": "unseen adsorbate",
    "val_ood_cat": "unseen slab",
    "val_ood_both": "both unseen",
}


def frames(n_train: int, n_test: int, cells: Path) -> dict[str, list[Atoms]]:
    """Make the structures, with the name of the system of each in its `info`.

    Parameters
    ----------
    n_train, n_test : int
        How many systems to train on, some of which are for validation, and of each test set.
    cells : Path
        Where they are kept.

    Returns
    -------
    dict of str to list of ase.Atoms
        With energies and forces: to train on, for validation, the test set of new systems of
        known slabs and adsorbates, and those of the shifts.
    """
    config = {"frames": "slabs", "train": n_train, "test": n_test, "each": _N_FRAMES}
    return _from_arrays(cached_arrays(cells, config, lambda: _make(n_train, n_test)))


def _make(n_train: int, n_test: int) -> Arrays:
    systems = list(emt.systems(emt.EMTSet(n_train, n_test)))
    held_out, learnt = hold_out([system for system in systems if system.split == "train"])
    parts = {"train": learnt, "validation": held_out}
    parts |= {part: [s for s in systems if s.split == split] for split, part in _PARTS.items()}
    return {
        f"{part}/{name}": array
        for part, members in parts.items()
        for name, array in _to_arrays(
            [frame for system in members for frame in frames_to_train_on(system, _N_FRAMES)]
        ).items()
    }


def _to_arrays(structures: list[Atoms]) -> Arrays:
    return {
        "sizes": np.array([len(atoms) for atoms in structures]),
        "numbers": np.concatenate([atoms.numbers for atoms in structures]),
        "positions": np.concatenate([atoms.positions for atoms in structures]),
        "forces": np.concatenate([atoms.get_forces() for atoms in structures]),
        "cell": np.array([atoms.cell.array for atoms in structures]),
        "energy": np.array([atoms.get_potential_energy() for atoms in structures]),
        "system": np.array([atoms.info[SYSTEM] for atoms in structures]),
    }


def _from_arrays(arrays: Arrays) -> dict[str, list[Atoms]]:
    parts: dict[str, Arrays] = {}
    for name, array in arrays.items():
        part, key = name.split("/")
        parts.setdefault(part, {})[key] = array
    return {part: _structures(each) for part, each in parts.items()}


def _structures(arrays: Arrays) -> list[Atoms]:
    ends = np.cumsum(arrays["sizes"])[:-1]
    numbers, positions, forces = (
        np.split(arrays[name], ends) for name in ("numbers", "positions", "forces")
    )
    structures = []
    for row in range(len(arrays["sizes"])):
        atoms = Atoms(numbers[row], positions[row], cell=arrays["cell"][row], pbc=True)
        atoms.info[SYSTEM] = str(arrays["system"][row])
        energy = float(arrays["energy"][row])
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces[row])
        structures.append(atoms)
    return structures
