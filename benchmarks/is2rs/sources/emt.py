"""Adsorbates on slabs by ASE's effective-medium theory: OC20 in small, without a download.

The metals and molecules are those that the theory has parameters for. It is no good chemistry: it
is a reference method that can be asked at every step of every relaxation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from ase import Atoms
from ase.build import fcc100, fcc111, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.data import covalent_radii
from ase.optimize import LBFGS
from ase.optimize.optimize import Optimizer
from numpy.typing import NDArray

from benchmarks.is2rs.sources.systems import ADSORBATE, SPLITS, SUBSURFACE, SURFACE, System

__all__ = ["EMTSet", "reference_forces", "systems"]

T = TypeVar("T")

_LATTICE = {"Cu": 3.61, "Ag": 4.09, "Au": 4.08, "Pd": 3.89, "Pt": 3.92}  # Å

# What a quarter of a slab's atoms are, and the others. As in OC20, no element is new in an unseen
# slab: the training has it in other ones.
_SLABS = {
    "Cu": ("Cu", "Cu"),
    "Ag": ("Ag", "Ag"),
    "Pt": ("Pt", "Pt"),
    "AuCu3": ("Au", "Cu"),
    "PdAg3": ("Pd", "Ag"),
    "CuPt3": ("Cu", "Pt"),
    "PtPd3": ("Pt", "Pd"),
}
_UNSEEN_SLABS = {
    "Au": ("Au", "Au"),
    "Pd": ("Pd", "Pd"),
    "AgAu3": ("Ag", "Au"),
    "CuPd3": ("Cu", "Pd"),
}
_ADSORBATES = ("H", "O", "N", "C", "CO", "OH", "NH", "NO")
_UNSEEN_ADSORBATES = ("CH", "H2O", "N2", "NH3")

_N_LAYERS, _N_FREE_LAYERS = 4, 2
_VACUUM = 6.0  # Å, on either side
_SHIFT = 0.1  # Å, standard deviation of the free atoms of a slab
_CLEARANCE = 1.15  # distance of the adsorbate to the nearest atom, in covalent radii of both
_FMAX, _MAX_STEPS = 0.02, 400  # eV/Å


@dataclass(frozen=True)
class EMTSet:
    """How many systems are made."""

    n_train: int
    n_each: int  # of each validation split
    seed: int = 0

    @property
    def n_systems(self) -> int:
        """Number of systems in all."""
        return self.n_train + len(SPLITS) * self.n_each


def systems(size: EMTSet) -> Iterator[System]:
    """Make systems and relax them.

    Parameters
    ----------
    size : EMTSet
        How many.

    Yields
    ------
    System
        Of the split ``train``, then of each of `SPLITS`. A split takes all of its pairs of slab
        and adsorbate before one comes again.
    """
    known, unseen = tuple(_SLABS), tuple(_UNSEEN_SLABS)
    pairs = {
        "train": (known, _ADSORBATES),
        "val_id": (known, _ADSORBATES),
        "val_ood_ads": (known, _UNSEEN_ADSORBATES),
        "val_ood_cat": (unseen, _ADSORBATES),
        "val_ood_both": (unseen, _UNSEEN_ADSORBATES),
    }
    for split in ("train", *SPLITS):
        rng = np.random.default_rng([size.seed, list(pairs).index(split)])
        n_systems = size.n_train if split == "train" else size.n_each
        drawn = _shuffled_for_ever(list(itertools.product(*pairs[split])), rng)
        for number, (slab, adsorbate) in enumerate(itertools.islice(drawn, n_systems)):
            yield _system(f"{split}-{number:04d}", split, slab, adsorbate, rng)


def reference_forces(atoms: Atoms) -> NDArray[np.float64]:
    """Compute the true forces on a structure, shape (n_atoms, 3), in eV/Å."""
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True, calculator=EMT())
    forces: NDArray[np.float64] = bare.get_forces()
    return forces


def _shuffled_for_ever(items: Sequence[T], rng: np.random.Generator) -> Iterator[T]:
    while True:
        for row in rng.permutation(len(items)):
            yield items[row]


def _system(sid: str, split: str, slab: str, adsorbate: str, rng: np.random.Generator) -> System:
    """Draw structures until the reference method relaxes one."""
    while True:
        clean, gas = _slab(*(_SLABS | _UNSEEN_SLABS)[slab], rng), _relax(_gas(adsorbate))[-1]
        frames = _relax(_adsorbed(clean, gas, rng))
        ends = frames[-1], _relax(clean)[-1], gas
        if all(_is_relaxed(atoms) for atoms in ends):
            reference = float(ends[1].get_potential_energy() + gas.get_potential_energy())
            return System(sid, split, tuple(frames), True, reference, slab, adsorbate)


def _slab(minor: str, major: str, rng: np.random.Generator) -> Atoms:
    """Cut a slab of four atoms a layer, one of them `minor`, and move its upper half a little."""
    lattice = 0.25 * _LATTICE[minor] + 0.75 * _LATTICE[major]
    cut = (fcc111, fcc100)[rng.integers(2)]
    slab = cut(major, size=(2, 2, _N_LAYERS), a=lattice, vacuum=_VACUUM, periodic=True)
    layers = slab.get_tags()  # from the top, which is 1
    for layer in np.unique(layers):
        slab.symbols[rng.choice(np.flatnonzero(layers == layer))] = minor
    free = layers <= _N_FREE_LAYERS
    slab.set_tags(np.where(free, SURFACE, SUBSURFACE))
    slab.positions[free] += rng.normal(scale=_SHIFT, size=(free.sum(), 3))
    slab.set_constraint(FixAtoms(mask=~free))
    return slab


def _gas(name: str) -> Atoms:
    """Put a molecule, or an atom, into vacuum."""
    gas = Atoms(name) if len(name) == 1 else molecule(name)
    gas.set_tags([ADSORBATE] * len(gas))
    gas.center(vacuum=_VACUUM)
    gas.pbc = True
    return gas


def _adsorbed(slab: Atoms, gas: Atoms, rng: np.random.Generator) -> Atoms:
    """Turn a molecule at random and let it down somewhere, until it nearly touches the slab."""
    part = Atoms(gas.numbers, gas.positions, tags=gas.get_tags())
    part.rotate(rng.uniform(0, 360), rng.normal(size=3))
    part.positions -= part.positions.mean(axis=0)
    part.positions += [*rng.random(2), 0] @ slab.cell.array
    part.positions[:, 2] += slab.positions[:, 2].max() - part.positions[:, 2].min()
    touching = covalent_radii[slab.numbers][:, None] + covalent_radii[part.numbers]
    while True:
        both = slab + part
        distances = both.get_all_distances(mic=True)[: len(slab), len(slab) :]
        if (distances >= _CLEARANCE * touching).all():
            return both
        part.positions[:, 2] += 0.05


def _relax(atoms: Atoms) -> list[Atoms]:
    """Relax a copy, and give the frames with their energies and forces."""
    moving = atoms.copy()
    moving.calc = EMT()
    frames: list[Atoms] = []
    make: Callable[..., Optimizer] = LBFGS  # whose annotation knows no logfile=None
    optimizer = make(moving, logfile=None)
    optimizer.attach(lambda: frames.append(_labelled(moving)))
    optimizer.run(fmax=_FMAX, steps=_MAX_STEPS)
    return frames


def _labelled(atoms: Atoms) -> Atoms:
    frame = atoms.copy()
    frame.calc = SinglePointCalculator(
        frame,
        energy=atoms.get_potential_energy(),
        forces=atoms.get_forces(apply_constraint=False),
    )
    return frame


def _is_relaxed(atoms: Atoms) -> bool:
    return bool(np.linalg.norm(atoms.get_forces(), axis=1).max() < _FMAX)
