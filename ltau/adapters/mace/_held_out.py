"""The errors of a model on the structures that its training validated with."""

from __future__ import annotations

import numpy as np

from ltau.adapters._forces.held_out import held_out_frames, held_out_with_errors
from ltau.adapters.mace._graphs import batches_of_graphs
from ltau.adapters.mace._latents import BATCH, latents_of
from ltau.adapters.mace._run import Training
from ltau.structures import StructureSamples

__all__ = ["held_out_samples"]


def held_out_samples(training: Training, progress: bool = False) -> StructureSamples | None:
    """Pass the validation structures of a training through its model.

    Parameters
    ----------
    training : Training
        The training.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    StructureSamples or None
        The structures, with latents and errors of the model; None where none were recorded.

    Warns
    -----
    UserWarning
        If some were trained on: they are left out.
    """
    frames = held_out_frames(training.folder, training.frames, "forces")
    if not frames:
        return None
    model = training.model
    latents, forces = [], []
    for graphs in batches_of_graphs(frames, model, training.head, BATCH, "validation", progress):
        output = model.module(graphs, training=False, compute_force=True)
        latents.append(latents_of(output, graphs, model))
        forces.append(output["forces"].detach().double().cpu().numpy())
    return held_out_with_errors(frames, np.concatenate(latents), np.concatenate(forces), "forces")
