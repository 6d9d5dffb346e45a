"""Latents that are taken from a calculator's own pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator
from numpy.typing import ArrayLike, NDArray

__all__ = ["check_rows", "has_own_pass", "hooked_pass", "run_pass", "runs_calculator"]

Latents = Callable[[Atoms, BaseCalculator], ArrayLike | None]
Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "runs_calculator"


def runs_calculator(latents: Function) -> Function:
    """Mark a function of latents that runs the calculator by itself.

    What a model computes on the way is lost once its calculator has given the forces. A
    function that keeps it, for example by a hook during the pass, runs the calculator
    itself; `UncertainCalculator` then calls it first, and takes energy and forces from the
    same pass.

    Parameters
    ----------
    latents : callable
        Called with the atoms and a calculator, it lets that compute the atoms' forces, and
        returns their latents, of shape (n_atoms, n_features).

    Returns
    -------
    callable
        The same function.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from ase.calculators.emt import EMT
    >>> from ltau.adapters.ase import runs_calculator
    >>> @runs_calculator
    ... def latents(atoms, calculator):
    ...     calculator.reset()                      # so that there is a pass
    ...     calculator.get_property("forces", atoms)
    ...     return calculator.results["energies"][:, None]    # of this pass
    >>> latents(molecule("H2O"), EMT()).shape
    (3, 1)
    """
    vars(latents)[_MARK] = True
    return latents


def has_own_pass(latents: Latents) -> bool:
    """Whether a function of latents runs the calculator by itself."""
    return bool(getattr(latents, _MARK, False))


def run_pass(calculator: BaseCalculator, atoms: Atoms) -> None:
    """Let a calculator compute forces, even if it has done so before."""
    if isinstance(calculator, Calculator):  # others cannot forget
        calculator.reset()
    calculator.get_property("forces", atoms)


def hooked_pass(
    calculator: Calculator, atoms: Atoms, hook: Callable[[Callable[[Any], None]], Any]
) -> NDArray[np.float32]:
    """Run a calculator, and keep what passes one place of its model.

    The hook is gone before this returns, so that models are saved without it, and those that
    share a model do not get each other's latents.

    Parameters
    ----------
    calculator : ase calculator
        The calculator.
    atoms : ase.Atoms
        The structure.
    hook : callable
        Given a function of a tensor, it attaches a hook that calls it; it returns a handle by
        which the hook is removed.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The latents.

    Raises
    ------
    ValueError
        If the place is not passed exactly once, or the latents are not as `check_rows` wants.
    """
    kept: list[Any] = []
    handle = hook(kept.append)
    try:
        run_pass(calculator, atoms)
    finally:
        handle.remove()
    if len(kept) != 1:
        raise ValueError(f"Expected a calculator that runs its model once, got {len(kept)} passes.")
    return check_rows(kept[0], len(atoms))


def check_rows(features: Any, n_atoms: int) -> NDArray[np.float32]:
    """Refuse what cannot be the latents of a structure's atoms.

    Parameters
    ----------
    features : Tensor
        What a model gave.
    n_atoms : int
        The number of atoms.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The latents, a copy.

    Raises
    ------
    ValueError
        If there is not a row of at least two numbers for each atom, or one is not finite.
    """
    rows = features.detach().cpu().numpy().astype(np.float32)
    if rows.ndim != 2 or len(rows) != n_atoms or rows.shape[1] < 2:
        raise ValueError(
            f"Expected a model with latents of shape ({n_atoms}, n_features), at least two for "
            f"each atom, got {rows.shape}."
        )
    if not np.isfinite(rows).all():
        raise ValueError("Expected a model that gives finite latents, got NaN or infinity.")
    return rows
