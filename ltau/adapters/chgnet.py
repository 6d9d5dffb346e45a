"""Latents of CHGNet, from the pass of its calculator."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from chgnet.model.dynamics import CHGNetCalculator
from numpy.typing import NDArray

from ltau.adapters._forces.own_pass import hooked_pass, runs_calculator

__all__ = ["latents"]


@runs_calculator
def latents(atoms: Atoms, calculator: CHGNetCalculator) -> NDArray[np.float32]:
    """Compute the latents of a structure's atoms, in the pass that gives energy and forces.

    They are the features from which CHGNet reads out the energy of each atom, after the last
    convolution, and do not change when the structure is moved, rotated or renumbered.
    (``return_atom_feas=True`` of CHGNet gives those before it.) For
    `ltau.adapters.ase.UncertainCalculator` and `ltau.adapters.ase.fit_frames`.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure. CHGNet takes periodic ones alone: put a molecule into a large cell.
    calculator : chgnet.model.CHGNetCalculator
        The calculator. It computes energy and forces of the atoms, and keeps them.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The latents: 64 for each atom by the models that come with CHGNet.

    Raises
    ------
    TypeError
        If the calculator is another.
    ValueError
        If the structure has no cell; or the model gives no latents of atoms, as one that averages
        before it reads out, or none that are finite.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from chgnet.model import CHGNetCalculator
    >>> from ltau.adapters.chgnet import latents
    >>> latents(bulk("NaCl", "rocksalt", 5.6), CHGNetCalculator()).shape  # doctest: +SKIP
    (2, 64)
    """
    if not isinstance(calculator, CHGNetCalculator):
        raise TypeError(f"Expected a CHGNetCalculator, got a {type(calculator).__name__}.")
    if atoms.cell.rank < 3:
        raise ValueError(
            f"Expected a periodic structure, got the cell {atoms.cell.tolist()}: CHGNet takes no "
            "other. Put a molecule into a large cell."
        )

    def hook(keep: Any) -> Any:  # a hook of the whole model would not be called in predictions
        return calculator.model.mlp.register_forward_pre_hook(lambda module, given: keep(given[0]))

    return hooked_pass(calculator, atoms, hook)
