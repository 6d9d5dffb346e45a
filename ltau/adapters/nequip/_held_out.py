"""The errors of a model on the structures that its training validated with."""

from __future__ import annotations

import numpy as np
from nequip.data import AtomicDataDict

from ltau.adapters._forces.held_out import held_out_frames, held_out_with_errors
from ltau.adapters.nequip._fields import Fields, batches_of_fields
from ltau.adapters.nequip._latents import latents_of
from ltau.adapters.nequip._run import Training
from ltau.adapters.nequip._state import nequip_state
from ltau.structures import StructureSamples

__all__ = ["held_out_samples"]

_BATCH = 32  # structures
_KEYS = {"forces": AtomicDataDict.FORCE_KEY, "energy": AtomicDataDict.TOTAL_ENERGY_KEY}


def held_out_samples(
    training: Training, target: str, progress: bool = False
) -> StructureSamples | None:
    """Pass the validation structures of a training through its model.

    Parameters
    ----------
    training : Training
        The training.
    target : {"forces", "energy"}
        What errors are of.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    StructureSamples or None
        The structures, with latents and errors by the weights of the checkpoint; None where
        none were recorded, or none has labels.

    Warns
    -----
    UserWarning
        If some lack labels, or were trained on: they are left out.
    """
    frames = held_out_frames(training.folder, training.frames, target)
    if not frames:
        return None
    latents, predictions = [], []
    with nequip_state():
        for fields in batches_of_fields(frames, training.model, _BATCH, "validation", progress):
            out: Fields = training.model.module(fields.copy())
            latents.append(latents_of(out, fields))
            predictions.append(out[_KEYS[target]].detach().double().cpu().numpy())
    predicted = np.concatenate(predictions)
    return held_out_with_errors(frames, np.concatenate(latents), predicted, target)
