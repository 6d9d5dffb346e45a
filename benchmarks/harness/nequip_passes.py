"""Structures through a trained NequIP model, many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from nequip.data import AtomicDataDict, from_ase
from nequip.utils import torch_default_dtype
from numpy.typing import NDArray

from benchmarks.harness.timing import processor_seconds
from ltau.adapters.nequip import NequIPModel

__all__ = ["Passes", "latents_of", "passes"]

_BATCH = 32  # structures

Fields = dict[str, torch.Tensor]


class Passes(NamedTuple):
    """What a model makes of structures; their atoms one after the other."""

    latents: NDArray[np.float32]  # (n_atoms, n_features)
    forces: NDArray[np.float32]  # (n_atoms, 3), eV/Å
    energies: NDArray[np.float64]  # (n_structures,), eV
    seconds: float  # of the processor, in the model


def passes(model: NequIPModel, frames: Sequence[Atoms]) -> Passes:
    """Pass structures through a model.

    Parameters
    ----------
    model : NequIPModel
        The model.
    frames : sequence of ase.Atoms
        The structures.

    Returns
    -------
    Passes
        Latents, forces and energies.
    """
    outputs, seconds = [], 0.0
    size = 1 if model.compiled else _BATCH
    with torch_default_dtype(torch.float64):  # in which nequip keeps data
        for start in range(0, len(frames), size):
            batch = [_fields(atoms, model) for atoms in frames[start : start + size]]
            fields = batch[0] if model.compiled else AtomicDataDict.batched_from_list(batch)
            out, spent = processor_seconds(partial(model.module, fields))
            seconds += spent
            force = out[AtomicDataDict.FORCE_KEY].detach().numpy().astype(np.float32)
            energy = out[AtomicDataDict.TOTAL_ENERGY_KEY].detach().numpy().astype(np.float64)
            outputs.append((latents_of(out), force, energy[:, 0]))
    latents, forces, energies = map(np.concatenate, zip(*outputs, strict=True))
    return Passes(latents, forces, energies, seconds)


def latents_of(out: Mapping[str, torch.Tensor]) -> NDArray[np.float32]:
    """Take the latents of all atoms from what a model gives, shape (n_atoms, n_features)."""
    latents: NDArray[np.float32] = out[AtomicDataDict.NODE_FEATURES_KEY].detach().float().numpy()
    return latents


def _fields(atoms: Atoms, model: NequIPModel) -> Fields:
    """Give a structure, without its labels, the model's atom types and neighbours."""
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    fields: Fields = from_ase(bare)
    for transform in model.transforms:
        fields = transform(fields)
    return fields
