"""Latents of MatGL's potentials, and the errors that its PredictionLogger has written."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ase import Atoms
from matgl.ext.ase import PESCalculator
from numpy.typing import NDArray

from ltau.adapters._forces.own_pass import check_rows, run_pass, runs_calculator

__all__ = ["errors_from_log", "latents"]


@runs_calculator
def latents(atoms: Atoms, calculator: PESCalculator) -> NDArray[np.float32]:
    """Compute the latents of a structure's atoms, in the pass that gives energy and forces.

    They are the features from which the model reads out the energy of each atom: what MatGL
    keeps under the name ``readout``, or the atoms' features after the last block, where there
    is no such (M3GNet, CHGNet). They do not change when the structure is moved, rotated or
    numbered otherwise. For `ltau.adapters.ase.UncertainCalculator` and
    `ltau.adapters.ase.fit_frames`.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    calculator : matgl.ext.ase.PESCalculator
        The calculator. It computes energy and forces of the atoms, and keeps them.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The latents.

    Raises
    ------
    TypeError
        If the calculator is another.
    ValueError
        If the model does not know an element, or keeps no finite features of the atoms.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ltau.adapters.matgl import latents
    >>> from matgl.ext.ase import PESCalculator
    >>> calculator = PESCalculator(potential, stress_unit="eV/A3")  # doctest: +SKIP
    >>> latents(bulk("NaCl", "rocksalt", 5.6), calculator).shape  # doctest: +SKIP
    (2, 64)
    """
    if not isinstance(calculator, PESCalculator):
        raise TypeError(f"Expected a PESCalculator, got a {type(calculator).__name__}.")
    elements = set(calculator.element_types)
    unknown = sorted(set(atoms.symbols) - elements)
    if unknown:
        raise ValueError(
            f"The model knows {', '.join(sorted(elements))}, got {', '.join(unknown)}."
        )
    run_pass(calculator, atoms)
    return check_rows(_features(calculator.potential.model.feature_dict), len(atoms))


def errors_from_log(path: str | os.PathLike[str], subset: str = "train") -> NDArray[np.float64]:
    """Read force errors of all atoms and epochs from the file of a PredictionLogger.

    ``matgl.utils.callbacks.PredictionLogger(path)`` writes them while MatGL trains; they are
    those of the training steps' own passes.

    Parameters
    ----------
    path : str or path-like
        The file. It is read as data: nothing in it is run.
    subset : {"train", "val"}, default="train"
        Whether errors on training structures are wanted, or on those to validate with, which
        the logger writes if it is told to.

    Returns
    -------
    ndarray of shape (n_atoms, n_epochs), float64
        Lengths of the errors of the forces, in eV/Å; atoms in the order of the data set that
        was given to ``add_sample_indices``. A sampler that leaves some out of an epoch, as with
        ``drop_last``, mixes them up: then there are fewer atoms here than in the data set,
        which `ltau.structures.StructureSamples` refuses.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If the file is no such log, or holds no force errors of the subset; if they are not of
        every atom at each epoch, or not finite.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from ltau.adapters.matgl import errors_from_log
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.pt"
    ...     torch.save({"train_force_errors": torch.ones(8, 30, 3)}, path)    # 8 epochs
    ...     errors_from_log(path).shape
    (30, 8)
    """
    if subset not in ("train", "val"):
        raise ValueError(f"Expected subset 'train' or 'val', got {subset!r}.")
    try:
        log = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ValueError(
            f"Expected {path} to be the file of a PredictionLogger: {error}"
        ) from error
    name = f"{subset}_force_errors"
    if not isinstance(log, Mapping) or name not in log:
        got = sorted(map(str, log)) if isinstance(log, Mapping) else type(log).__name__
        raise ValueError(f"Expected {name} in {path}, got {got}.")
    return _lengths(log[name], f"{name} of {path}")


def _features(kept: Mapping[str, Any]) -> torch.Tensor:
    """Find the last features of the atoms among what a model keeps of its layers."""
    for name in ("readout", "scalar_representation"):  # the latter of SO3Net
        features = kept.get(name)
        if isinstance(features, torch.Tensor) and features.ndim == 2 and features.shape[1] > 1:
            return features
    blocks = [kept[name] for name in kept if name.startswith("gc_")]
    last = blocks[-1] if blocks and isinstance(blocks[-1], Mapping) else {}
    for name in ("node_feat", "atom_feat"):
        if isinstance(last.get(name), torch.Tensor):
            return last[name]
    raise ValueError(f"Expected a model that keeps features of its atoms, got {sorted(kept)}.")


def _lengths(errors: Any, what: str) -> NDArray[np.float64]:
    """Refuse errors that are not of all atoms at each epoch; give the lengths of the others."""
    shape = tuple(errors.shape) if isinstance(errors, torch.Tensor) else type(errors).__name__
    if not isinstance(errors, torch.Tensor) or errors.ndim != 3 or errors.shape[2] != 3:
        raise ValueError(f"Expected {what} to be a tensor (n_epochs, n_atoms, 3), got {shape}.")
    if not errors.is_floating_point() or not errors.numel():
        raise ValueError(f"Expected {what} to be numbers, at least one, got {shape}.")
    vectors = errors.to(torch.float64).numpy()
    if not np.isfinite(vectors).all():
        epochs = np.flatnonzero(~np.isfinite(vectors).all(axis=(1, 2)))
        raise ValueError(f"Expected finite {what}, got NaN or infinity in epoch {epochs[0]}.")
    return np.linalg.norm(vectors, axis=2).T
