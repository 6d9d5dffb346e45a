"""Structures that teach nothing: none of their atoms has a neighbour."""

from __future__ import annotations

import warnings

import numpy as np

from ltau.structures import StructureSamples

__all__ = ["with_neighbors"]


def with_neighbors(samples: StructureSamples, what: str) -> StructureSamples | None:
    """Leave out the structures of which the model knows nothing.

    Parameters
    ----------
    samples : StructureSamples
        Structures with a model's own latents, which are NaN where no atom of a structure
        has a neighbour.
    what : str
        What the warning calls the structures.

    Returns
    -------
    StructureSamples or None
        The others, with their latents and errors; None if there are none.

    Warns
    -----
    UserWarning
        If some are left out, how many.
    """
    frames, sizes = samples.frames, [len(frame) for frame in samples.frames]
    first = np.cumsum([0, *sizes])[:-1]
    kept = ~np.isnan(samples.latents[first, 0])
    if kept.all():
        return samples
    warnings.warn(
        f"{np.count_nonzero(~kept)} of {len(frames)} {what} structures have no atoms within the "
        "model's cutoff of each other: they are left out.",
        stacklevel=4,
    )
    if not kept.any():
        return None
    atoms = np.repeat(kept, sizes)
    rows = np.flatnonzero(kept if samples.whole else atoms)
    return StructureSamples(
        [frame for frame, keep in zip(frames, kept, strict=True) if keep],
        samples.latents[atoms],
        samples.errors[rows],
        samples.whole,
    )
