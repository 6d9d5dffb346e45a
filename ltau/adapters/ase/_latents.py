"""Latents of a structure, of a kind that an estimator knows, from any calculator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import ArrayLike, NDArray

from ltau.adapters._forces.own_pass import has_own_pass, run_pass
from ltau.adapters._forces.probe import check_same_model
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff, environment_latents

__all__ = ["Latents", "check_model", "latents_with_pass", "with_environment"]

Latents = Callable[[Atoms, BaseCalculator], ArrayLike | None]


def latents_with_pass(
    latents: Latents, atoms: Atoms, calculator: BaseCalculator
) -> NDArray[np.float32]:
    """Let a calculator compute a structure, and give its latents; they must be there.

    Parameters
    ----------
    latents : callable
        Called with atoms and calculator.
    atoms : ase.Atoms
        The structure.
    calculator : ase calculator
        The calculator, which keeps the forces of the structure.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The latents.

    Raises
    ------
    ValueError
        If there is not a row for each atom, or one is not finite.
    """
    if not has_own_pass(latents):
        run_pass(calculator, atoms)
    rows = np.asarray(latents(atoms, calculator))
    if rows.ndim != 2 or len(rows) != len(atoms) or rows.dtype.kind not in "fiu":
        raise ValueError(
            f"Expected latents of shape ({len(atoms)}, n_features), numbers for each atom, got "
            f"shape {rows.shape}, {rows.dtype}."
        )
    if not np.isfinite(rows).all():
        raise ValueError("Expected finite latents, got NaN or infinity.")
    return rows.astype(np.float32, copy=False)


def with_environment(rows: ArrayLike, atoms: Atoms, estimator: LTAUEstimator) -> ArrayLike:
    """Make environment latents of a model's own, where an estimator was fitted on those.

    Parameters
    ----------
    rows : array-like of shape (n_atoms, n_features)
        The latents. Those that have the estimator's width already stay as they are.
    atoms : ase.Atoms
        The structure.
    estimator : LTAUEstimator
        The estimator.

    Returns
    -------
    array-like of shape (n_atoms, n_features) or (n_atoms, 3 * n_features)
        What the estimator knows.
    """
    cutoff = environment_cutoff(estimator)
    own = np.shape(rows)[-1:] == (estimator.n_features_in_ / 3,)
    return rows if cutoff is None or not own else environment_latents(rows, [atoms], cutoff)


def check_model(estimator: LTAUEstimator, calculator: BaseCalculator, latents: Latents) -> None:
    """Refuse an estimator of another model, where its notes have a structure to tell by.

    Parameters
    ----------
    estimator : LTAUEstimator
        The estimator.
    calculator : ase calculator
        Runs the model.
    latents : callable
        Gives its latents.

    Raises
    ------
    ValueError
        If the latents of the structure are others than those that were fitted on.
    """
    if "probe" not in getattr(estimator, "notes_", {}):
        return

    def found(atoms: Atoms) -> NDArray[np.float32]:
        rows = latents_with_pass(latents, atoms, calculator)
        return np.asarray(with_environment(rows, atoms, estimator), np.float32)

    check_same_model(estimator, Atoms(), found)
