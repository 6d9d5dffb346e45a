"""Alloys of copper and gold, labelled by ASE's effective-medium theory: no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevin import Langevin

from benchmarks.harness.cells import cached_arrays
from benchmarks.methods.domains import IN_DOMAIN

__all__ = ["frames"]

_LATTICE = {"Cu": 3.61, "Au": 4.08}  # constants of the crystals, in Å
_N_STEPS, _TIMESTEP, _FRICTION = 60, 5.0, 0.02  # fs, 1 / fs

# Share of gold, from and to, and temperature in K.
_PARTS = {
    "train": ((0.0, 0.4), 300.0),
    "validation": ((0.0, 0.4), 300.0),
    IN_DOMAIN: ((0.0, 0.4), 300.0),
    "composition": ((0.6, 1.0), 300.0),
    "temperature": ((0.0, 0.4), 900.0),
}


def frames(n_train: int, n_test: int, cells: Path) -> dict[str, list[Atoms]]:
    """Make the structures: each a short run of molecular dynamics of its own.

    Parameters
    ----------
    n_train, n_test : int
        How many to train on, and how many there are of each test set; half of these are
        for validation.
    cells : Path
        Where they are kept.

    Returns
    -------
    dict of str to list of ase.Atoms
        With energies and forces: to train on, for validation, the test set in domain, and
        those of the shifts.
    """
    sizes = dict.fromkeys(_PARTS, n_test) | {"train": n_train, "validation": n_test // 2}
    config = {"frames": "emt", "sizes": sizes, "steps": _N_STEPS}
    arrays = cached_arrays(cells, config, lambda: _to_arrays(_make(sizes)))
    return _from_arrays(arrays)


def _make(sizes: dict[str, int]) -> dict[str, list[Atoms]]:
    rng = np.random.default_rng(0)
    return {
        name: [_structure(rng, rng.uniform(*gold), kelvin) for _ in range(sizes[name])]
        for name, (gold, kelvin) in _PARTS.items()
    }


def _structure(rng: np.random.Generator, gold: float, kelvin: float) -> Atoms:
    """Mix a crystal of 32 atoms, heat it, and label what it has become."""
    lattice = gold * _LATTICE["Au"] + (1 - gold) * _LATTICE["Cu"]
    atoms = bulk("Cu", a=lattice * rng.uniform(0.98, 1.02), cubic=True) * (2, 2, 2)
    atoms.symbols = np.where(rng.random(len(atoms)) < gold, "Au", "Cu")
    atoms.calc = EMT()
    # Maxwell and Boltzmann's, twice as hot: half of the energy goes into the springs.
    momentum = np.sqrt(atoms.get_masses() * (units.kB * 2 * kelvin))
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * momentum[:, None])
    dynamics = Langevin(
        atoms,
        timestep=_TIMESTEP * units.fs,
        temperature_K=kelvin,
        friction=_FRICTION / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(_N_STEPS)
    return _labelled(atoms, atoms.get_potential_energy(), atoms.get_forces())


def _labelled(atoms: Atoms, energy: float, forces: np.ndarray) -> Atoms:
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    bare.calc = SinglePointCalculator(bare, energy=energy, forces=forces)
    return bare


def _to_arrays(parts: dict[str, list[Atoms]]) -> dict[str, np.ndarray]:
    return {
        f"{part}/{name}": np.array([get(atoms) for atoms in structures])
        for part, structures in parts.items()
        for name, get in {
            "numbers": lambda atoms: atoms.numbers,
            "positions": lambda atoms: atoms.positions,
            "cell": lambda atoms: atoms.cell.array,
            "energy": lambda atoms: atoms.get_potential_energy(),
            "forces": lambda atoms: atoms.get_forces(),
        }.items()
    }


def _from_arrays(arrays: dict[str, np.ndarray]) -> dict[str, list[Atoms]]:
    names = ("numbers", "positions", "cell", "energy", "forces")
    return {
        part: [
            _labelled(Atoms(numbers, positions, cell=cell), energy, forces)
            for numbers, positions, cell, energy, forces in zip(
                *(arrays[f"{part}/{name}"] for name in names), strict=True
            )
        ]
        for part in _PARTS
    }
