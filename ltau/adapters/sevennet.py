"""Latents of SevenNet, from the pass of its calculator."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from sevenn.calculator import SevenNetCalculator

from ltau.adapters._forces.checks import symbols
from ltau.adapters._forces.own_pass import hooked_pass, runs_calculator

__all__ = ["latents"]

_FEATURES = "x"  # as SevenNet calls the features of atoms


@runs_calculator
def latents(atoms: Atoms, calculator: SevenNetCalculator) -> NDArray[np.float32]:
    """Compute the latents of a structure's atoms, in the pass that gives energy and forces.

    They are the features from which SevenNet reads out the energy of each atom, the last that
    are wider than one, and do not change when the structure is moved, rotated or
    renumbered. For `ltau.adapters.ase.UncertainCalculator` and
    `ltau.adapters.ase.fit_frames`.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    calculator : sevenn.calculator.SevenNetCalculator
        The calculator. It computes energy and forces of the atoms, and keeps them.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The latents: 64 for each atom by 7net-0.

    Raises
    ------
    TypeError
        If the calculator is another.
    ValueError
        If the model does not know an element, or gives no finite latents.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ltau.adapters.sevennet import latents
    >>> from sevenn.calculator import SevenNetCalculator
    >>> latents(bulk("NaCl", "rocksalt", 5.6), SevenNetCalculator("7net-0")).shape  # doctest: +SKIP
    (2, 64)
    """
    if not isinstance(calculator, SevenNetCalculator):
        raise TypeError(f"Expected a SevenNetCalculator, got a {type(calculator).__name__}.")
    unknown = sorted(set(atoms.numbers.tolist()) - set(calculator.type_map))
    if unknown:
        raise ValueError(
            f"The model knows {symbols(sorted(calculator.type_map))}, got {symbols(unknown)}."
        )

    def hook(keep: Any) -> Any:
        return calculator.model.register_forward_hook(
            lambda module, given, output: keep(output[_FEATURES][: len(atoms)])
        )

    return hooked_pass(calculator, atoms, hook)
