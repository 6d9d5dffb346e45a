"""The structures that a training validated with, and a model's errors on them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from ltau.adapters._forces.frames import VALIDATION, fingerprint, load_frames
from ltau.structures import StructureSamples

__all__ = ["held_out_frames", "held_out_with_errors"]


def held_out_frames(folder: Path, trained: list[Atoms], target: str) -> list[Atoms]:
    """Read the validation structures that have labels, and were not trained on.

    Parameters
    ----------
    folder : Path
        Where a recorder has written.
    trained : list of ase.Atoms
        The structures that were trained on.
    target : {"forces", "energy"}
        What labels are of.

    Returns
    -------
    list of ase.Atoms
        The structures; none where none were recorded.

    Warns
    -----
    UserWarning
        If some lack labels, or were trained on: they are left out.
    """
    path = folder / VALIDATION
    if not path.is_file():
        return []
    frames = load_frames(path)
    labelled = [frame for frame in frames if _has_label(frame, target)]
    if not labelled:
        return []
    known = {fingerprint([frame]) for frame in trained}
    new = [frame for frame in labelled if fingerprint([frame]) not in known]
    for n, what in (
        (len(frames) - len(labelled), f"lack {target}"),
        (len(labelled) - len(new), "were trained on"),
    ):
        if n:
            warnings.warn(
                f"{n} of {len(frames)} validation structures in {path} {what}: they are left out.",
                stacklevel=5,
            )
    return new


def held_out_with_errors(
    frames: list[Atoms], latents: NDArray[np.float32], predicted: ArrayLike, target: str
) -> StructureSamples:
    """Compare what a model predicts of held-out structures with their labels.

    Parameters
    ----------
    frames : list of ase.Atoms
        The structures, with labels.
    latents : ndarray of shape (n_atoms, n_features), float32
        The model's own latents.
    predicted : array-like of shape (n_atoms, 3) or (n_frames, 1)
        Forces, in eV/Å, or energies, in eV.
    target : {"forces", "energy"}
        Which.

    Returns
    -------
    StructureSamples
        The structures with the errors of atoms, or of the energies per atom.
    """
    width = 3 if target == "forces" else 1
    truth = np.concatenate([np.reshape(f.calc.results[target], (-1, width)) for f in frames])
    errors = np.linalg.norm(np.asarray(predicted) - truth, axis=1)
    if target == "energy":
        errors /= [len(frame) for frame in frames]
    return StructureSamples(frames, latents, errors, target == "energy")


def _has_label(frame: Atoms, target: str) -> bool:
    label = None if frame.calc is None else frame.calc.results.get(target)
    return label is not None and bool(np.isfinite(label).all())
