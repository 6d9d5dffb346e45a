"""Latents of a MACE model: the invariant node features of all its layers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray

from ltau._inputs.numbers import check_positive
from ltau.adapters._forces.edges import check_reach, environment_on_edges
from ltau.adapters.mace._graphs import Graphs, batches_of_graphs, lengths_of, without_neighbors
from ltau.adapters.mace._models import MACEModel, as_model

__all__ = ["BATCH", "latents", "latents_of", "own_latents"]

BATCH = 32  # structures at a time


def latents(
    model: str | os.PathLike[str] | torch.nn.Module | MACEModel,
    frames: Iterable[Atoms],
    *,
    environment: float | None = None,
    batch_size: int = BATCH,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> NDArray[np.float32]:
    """Compute the latents of all atoms of some structures.

    The latents are the scalars among the node features of all layers, from which MACE reads
    out the energy of each atom. They are invariant to translation, rotation and the order of
    the atoms, and the same for all heads. Forces are not computed.

    Parameters
    ----------
    model : str, path-like, MACEModel or torch.nn.Module
        Path of a model as in `load_model`, or a loaded one, which stays where it is.
        Loading one runs code that the file holds: give only files that you trust.
    frames : iterable of ase.Atoms
        The structures. Where no atom of a structure has a neighbour within the model's
        cutoff, the latents of its atoms are NaN.
    environment : float, optional
        Cutoff, no larger than the model's: each atom's latents are then followed by what
        its neighbours are like, on the model's own edges, as
        `ltau.structures.environment_latents` gives them.
    batch_size : int, default=32
        Structures that go through the model at once.
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
    >>> from ltau.adapters.mace import latents
    >>> latents("acac.model", read("train.extxyz", ":")).shape  # doctest: +SKIP
    (6750, 32)
    """
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"Expected a batch_size >= 1, got {batch_size!r}.")
    loaded = as_model(model, device)
    if environment is not None:
        check_reach(check_positive(environment, "environment"), loaded.cutoff)
    structures = list(_each(frames))
    if not structures:
        raise ValueError("Expected at least one structure, got none.")
    rows = own_latents(loaded, structures, environment, int(batch_size), progress)
    n_unknown = np.count_nonzero(np.isnan(rows[:, 0]))
    if n_unknown:
        warnings.warn(
            f"The latents of {n_unknown} of {len(rows)} atoms are NaN: their structures have no "
            "atoms within the model's cutoff of each other.",
            stacklevel=2,
        )
    return rows


def own_latents(
    model: MACEModel,
    frames: Sequence[Atoms],
    environment: float | None = None,
    batch_size: int = BATCH,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Compute what `latents` gives, of checked arguments, and do not warn."""
    rows = []
    with torch.no_grad():
        # Any head will do: the heads differ in what they read out.
        for graphs in batches_of_graphs(
            frames, model, model.heads[0], batch_size, "latents", progress
        ):
            output = model.module(graphs, compute_force=False)
            rows.append(latents_of(output, graphs, model, environment))
    return np.concatenate(rows)


def latents_of(
    output: dict[str, Any],
    graphs: Graphs,
    model: MACEModel,
    environment: float | None = None,
    n_atoms: int | None = None,
) -> NDArray[np.float32]:
    """Take the latents out of what a model gave; NaN where a structure has no neighbours.

    Parameters
    ----------
    output, graphs : dict
        What the model gave, and what it was given.
    model : MACEModel
        The model.
    environment : float, optional
        Cutoff of the environment.
    n_atoms : int, optional
        Number of atoms, where a calculator has padded them.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        Its own latents, or environment latents.

    Raises
    ------
    ValueError
        If the model gives no latents, or NaN or infinity for an atom that has neighbours.
    """
    features = output.get("node_feats")
    if features is None or features.shape[1:] != (model.width,):
        got = None if features is None else tuple(features.shape)
        raise ValueError(
            f"Expected node features of shape (n_atoms, {model.width}) from the model, got {got}."
        )
    scalars = features.detach().index_select(1, model.columns)
    if environment is not None:
        scalars = environment_on_edges(
            scalars, graphs["edge_index"], lengths_of(graphs), environment
        )
    rows = np.ascontiguousarray(scalars.to("cpu", torch.float32).numpy()[:n_atoms])
    unknown = without_neighbors(graphs)[:n_atoms]
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
        raise TypeError(f"Expected a list of ase.Atoms, got {type(frames).__name__}.")
    return frames
