"""Latents of a NequIP model: the final invariant features of each atom."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ltau._inputs.numbers import check_positive
from ltau.adapters._forces.checks import check_atoms
from ltau.adapters._forces.edges import check_reach
from ltau.adapters.nequip._environment import environment_of, reach_of
from ltau.adapters.nequip._features import features_of
from ltau.adapters.nequip._fields import (
    Fields,
    batches_of_fields,
    without_neighbors,
)
from ltau.adapters.nequip._models import NequIPModel, as_model
from ltau.adapters.nequip._state import nequip_state

__all__ = ["latents", "latents_of", "own_latents"]


def latents(
    model: str | os.PathLike[str] | torch.nn.Module | NequIPModel,
    frames: Iterable[Atoms] | Dataset[Any],
    *,
    environment: float | None = None,
    batch_size: int = 32,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> NDArray[np.float32]:
    """Compute the latents of all atoms of some structures.

    The latents are the node features from which NequIP reads out the energy of each
    atom; of an Allegro model, the sums over an atom's edges of the features from which
    it reads out the energies of the edges. They are invariant to translation, rotation
    and the order of the atoms. Forces are not computed, except by a compiled model,
    which always does.

    Parameters
    ----------
    model : str, path-like, NequIPModel or nequip GraphModel
        Path of a model as in `load_model`, or a loaded one, which stays where it is.
        Loading one runs code that the file holds: give only files that you trust.
    frames : iterable of ase.Atoms, or dataset of nequip
        The structures. Where no atom of a structure has a neighbour within the model's
        cutoff, the latents of its atoms are NaN. Those of an atom without neighbours in a
        structure that has some are all zero.
    environment : float, optional
        Cutoff, no larger than the model's: each atom's latents are then followed by what
        its neighbours are like, on the model's own edges, as
        `ltau.structures.environment_latents` gives them.
    batch_size : int, default=32
        Structures that go through the model at once; a compiled one takes one at a time.
    device : str or torch.device, default="cpu"
        Where to run a model that is given by its path.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        One row per atom, in the order of the structures; three times as wide with an
        environment.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If the model cannot be loaded, as in `load_model`, or gives no latents, or none that
        are finite; there are no structures, or one has no atoms, an element that the model
        does not know, or NaN positions; or the environment is no cutoff, or larger than
        the model's.

    Warns
    -----
    UserWarning
        If latents are NaN: those of how many atoms.

    Examples
    --------
    >>> from ase.io import read
    >>> from ltau.adapters.nequip import latents
    >>> latents("run/last.ckpt", read("train.extxyz", ":")).shape  # doctest: +SKIP
    (6750, 32)
    """
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"Expected a batch_size >= 1, got {batch_size!r}.")
    loaded = as_model(model, device)
    if environment is not None:
        check_reach(check_positive(environment, "environment"), reach_of(loaded.transforms))
    frames = frames if isinstance(frames, Dataset) else list(_each(frames))
    if not len(frames):  # type: ignore[arg-type]
        raise ValueError("Expected at least one structure, got none.")
    if isinstance(frames, list):  # a dataset may be too large to be read twice
        for number, atoms in enumerate(frames):
            check_atoms(atoms, loaded.known, f"frame {number}")
    rows = own_latents(loaded, frames, environment, int(batch_size), progress)
    n_unknown = np.count_nonzero(np.isnan(rows[:, 0]))
    if n_unknown:
        warnings.warn(
            f"The latents of {n_unknown} of {len(rows)} atoms are NaN: their structures have no "
            "atoms within the model's cutoff of each other.",
            stacklevel=2,
        )
    return rows


def own_latents(
    model: NequIPModel,
    frames: Any,
    environment: float | None = None,
    batch_size: int = 32,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Compute what `latents` gives, of checked arguments, and do not warn."""
    rows = []
    with nequip_state(), _without_forces(model):
        for fields in batches_of_fields(frames, model, batch_size, "latents", progress):
            rows.append(latents_of(model.module(fields.copy()), fields, environment))
    return np.concatenate(rows)


def latents_of(
    output: Fields, fields: Fields, environment: float | None = None
) -> NDArray[np.float32]:
    """Take the latents out of what a model gave; NaN where a structure has no neighbours.

    Parameters
    ----------
    output, fields : dict
        What the model gave, and what it was given.
    environment : float, optional
        Cutoff of the environment.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        Its own latents, or environment latents.

    Raises
    ------
    ValueError
        If the model gives no latents, or NaN or infinity for an atom that has neighbours.
    """
    features = features_of(output)
    if environment is not None:
        features = environment_of(features, fields, environment)
    rows = np.ascontiguousarray(features.detach().to("cpu", torch.float32).numpy())
    unknown = without_neighbors(fields)
    if unknown.any():
        rows = np.where(unknown[:, None], np.float32(np.nan), rows)
    bad = ~np.isfinite(rows).all(axis=1) & ~unknown
    if bad.any():
        raise ValueError(
            "Expected a model that gives finite latents, got NaN or infinity for "
            f"{np.count_nonzero(bad)} of {len(rows)} atoms."
        )
    return rows


def _each(frames: Any) -> Iterable[Any]:
    """Refuse a single structure, which is an iterable too: of its atoms."""
    if isinstance(frames, Atoms) or not isinstance(frames, Iterable):
        raise TypeError(
            f"Expected a list of ase.Atoms or a dataset of nequip, got {type(frames).__name__}."
        )
    return frames


@contextmanager
def _without_forces(model: NequIPModel) -> Iterator[None]:
    """Leave out the derivatives of the energy, and with them all gradients.

    A module that was told so works without; a model that has none to tell may yet take
    derivatives of its own, and keeps gradients.
    """
    modules = [part for part in model.module.modules() if getattr(part, "do_derivatives", False)]
    for part in modules:
        part.do_derivatives = False  # type: ignore[assignment]
    try:
        with torch.set_grad_enabled(not modules and torch.is_grad_enabled()):
            yield
    finally:
        for part in modules:
            part.do_derivatives = True  # type: ignore[assignment]
