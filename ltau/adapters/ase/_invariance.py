"""Whether latents stay what they are when a structure is rotated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ltau.adapters.ase._latents import Latents, latents_with_pass

__all__ = ["check_invariant"]

_ANGLE, _AXIS = 37.0, (1.0, 2.0, 3.0)  # no symmetry of a crystal
_ALLOWED = 0.01  # of the spread; invariant ones change by some 1e-5, Orb's by a third
_LEAST_SPREAD = 1e-3  # of the widest feature's: below it, rounding is all that changes


def check_invariant(latents: Latents, calculator: BaseCalculator, frames: Sequence[Atoms]) -> None:
    """Refuse latents that change when a structure is rotated.

    The smallest structure and the largest are computed as they are and rotated: four passes.
    The change of each feature is compared with its standard deviation over these atoms; the
    root mean square over all features may be 1 %.

    Parameters
    ----------
    latents : callable
        Called with atoms and calculator.
    calculator : ase calculator
        Runs the model.
    frames : sequence of ase.Atoms
        Structures to choose from. Atoms at the centres of perfect crystals have nothing that
        could change: take structures with displaced atoms.

    Raises
    ------
    ValueError
        If the latents change by more.

    Notes
    -----
    Equivariant features of higher order, and models that learn invariance only by example,
    such as Orb and PET, give such latents. Neighbours are then atoms that are turned alike, and
    a molecule that turns in a simulation leaves the training domain without cause.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from ase.calculators.emt import EMT
    >>> from ltau.adapters.ase import check_invariant
    >>> frames = [molecule("H2O"), molecule("CH3OH")]
    >>> check_invariant(lambda atoms, calculator: atoms.get_all_distances()[:, :2], EMT(), frames)
    >>> check_invariant(lambda atoms, calculator: atoms.get_positions(), EMT(), frames)
    Traceback (most recent call last):
        ...
    ValueError: Expected latents that stay the same when a structure is rotated, got changes ...
    """
    chosen = sorted(frames, key=len)
    tried = [chosen[0], chosen[-1]] if len(chosen) > 1 else chosen
    rows = np.concatenate([latents_with_pass(latents, a.copy(), calculator) for a in tried])
    turned = np.concatenate([latents_with_pass(latents, _turned(a), calculator) for a in tried])
    if rows.shape != turned.shape:
        raise ValueError(f"Expected latents of one width, got {rows.shape} and {turned.shape}.")
    change = np.sqrt(np.mean((turned - rows.astype(float)) ** 2, axis=0))
    if not change.any():
        return
    spread = rows.std(axis=0, dtype=float)
    spread = np.maximum(spread, max(_LEAST_SPREAD * spread.max(), np.finfo(float).tiny))
    share = float(np.sqrt(np.mean((change / spread) ** 2)))
    if not share <= _ALLOWED:
        raise ValueError(
            "Expected latents that stay the same when a structure is rotated, got changes by "
            f"{share:.2g} of their spread. If that is meant, say invariant=False."
        )


def _turned(atoms: Atoms) -> Atoms:
    turned = atoms.copy()
    turned.rotate(_ANGLE, _AXIS, rotate_cell=True)
    return turned
