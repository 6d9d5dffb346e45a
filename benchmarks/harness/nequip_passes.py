"""Structures through a trained NequIP model, many at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from nequip.data import AtomicDataDict
from numpy.typing import NDArray

from ltau.adapters.nequip._fields import fields_of
from ltau.adapters.nequip._latents import latents_of
from ltau.adapters.nequip._models import NequIPModel
from ltau.adapters.nequip._state import nequip_state

__all__ = ["Passes", "passes"]

_BATCH = 32  # structures


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
    with nequip_state():
        for start in range(0, len(frames), size):
            batch = [
                fields_of(atoms, model, f"frame {start + number}")
                for number, atoms in enumerate(frames[start : start + size])
            ]
            fields = batch[0] if model.compiled else AtomicDataDict.batched_from_list(batch)
            before = time.process_time()
            out = model.module(fields)
            seconds += time.process_time() - before
            forces = out[AtomicDataDict.FORCE_KEY].detach().numpy().astype(np.float32)
            energies = out[AtomicDataDict.TOTAL_ENERGY_KEY].detach().numpy().astype(np.float64)
            outputs.append((latents_of(out), forces, energies[:, 0]))
    return Passes(*map(np.concatenate, zip(*outputs, strict=True)), seconds)
