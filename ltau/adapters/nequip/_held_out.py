"""The errors of a model on the structures that its training validated with."""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from nequip.data import AtomicDataDict
from numpy.typing import NDArray

from ltau.adapters.nequip._fields import Fields, batches_of_fields
from ltau.adapters.nequip._frames import VALIDATION, fingerprint, load_frames
from ltau.adapters.nequip._latents import latents_of
from ltau.adapters.nequip._models import NequIPModel
from ltau.adapters.nequip._run import Training
from ltau.adapters.nequip._state import nequip_state
from ltau.structures import StructureSamples

__all__ = ["held_out_samples"]

Floats = NDArray[np.float64]

_BATCH = 32  # structures


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
    path = training.folder / VALIDATION
    if not path.is_file():
        return None
    frames = load_frames(path)
    labelled = [frame for frame in frames if _has_label(frame, target)]
    if not labelled:
        return None
    known = {fingerprint([frame]) for frame in training.frames}
    new = [frame for frame in labelled if fingerprint([frame]) not in known]
    for n, what in (
        (len(frames) - len(labelled), f"lack {target}"),
        (len(labelled) - len(new), "were trained on"),
    ):
        if n:
            warnings.warn(
                f"{n} of {len(frames)} validation structures in {path} {what}: they are left out.",
                stacklevel=4,
            )
    return _passed(training.model, new, target, progress) if new else None


def _has_label(frame: Atoms, target: str) -> bool:
    label = None if frame.calc is None else frame.calc.results.get(target)
    return label is not None and bool(np.isfinite(label).all())


def _passed(
    model: NequIPModel, frames: list[Atoms], target: str, progress: bool
) -> StructureSamples:
    latents, predictions = [], []
    with nequip_state():
        for fields in batches_of_fields(frames, model, _BATCH, "validation", progress):
            out: Fields = model.module(fields.copy())
            latents.append(latents_of(out, fields))
            key = (
                AtomicDataDict.FORCE_KEY if target == "forces" else AtomicDataDict.TOTAL_ENERGY_KEY
            )
            predictions.append(out[key].detach().double().cpu().numpy())
    predicted, truth = np.concatenate(predictions), _labels(frames, target)
    errors = np.linalg.norm(predicted - truth, axis=1)
    if target == "energy":
        errors /= [len(frame) for frame in frames]
    return StructureSamples(frames, np.concatenate(latents), errors, target == "energy")


def _labels(frames: list[Atoms], target: str) -> Floats:
    """Put labels of all frames one below the other: forces of atoms, or energies."""
    return np.concatenate(
        [
            np.reshape(frame.calc.results[target], (-1, 3 if target == "forces" else 1))
            for frame in frames
        ]
    )
