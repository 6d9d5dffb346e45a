"""Latents of a metatomic model, from the pass of its calculator."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from metatomic_ase import MetatomicCalculator
from numpy.typing import NDArray

from ltau.adapters._forces.own_pass import check_rows

__all__ = ["FEATURE", "latents", "rows_of"]

FEATURE = "feature"  # the output of metatomic's standard that is made for latents


def latents(
    atoms: Atoms, calculator: MetatomicCalculator, output: str = FEATURE
) -> NDArray[np.float32]:
    """Give the latents of a structure's atoms, from the pass that gave energy and forces.

    For `ltau.adapters.ase.UncertainCalculator` and `ltau.adapters.ase.fit_frames`.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure, of which the calculator has computed the forces.
    calculator : metatomic_ase.MetatomicCalculator
        The calculator, which was told to keep the latents:
        ``additional_outputs={"feature": ModelOutput(sample_kind="atom")}``.
    output : str, default="feature"
        The output that has the latents. For models of metatrain, the energy is read out
        from ``mtt::aux::energy_last_layer_features``; to take it, give
        ``functools.partial(latents, output=...)`` for the function.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The latents, in the order of the atoms.

    Raises
    ------
    TypeError
        If the calculator is another.
    ValueError
        If the calculator has not kept the output, there is not one row per atom, or a number
        is not finite.

    Notes
    -----
    Whether they are invariant to rotation depends on the model. PET's are not; see
    `ltau.adapters.ase.check_invariant`.

    Examples
    --------
    >>> from metatomic.torch import ModelOutput
    >>> from metatomic_ase import MetatomicCalculator
    >>> from ltau.adapters.ase import fit_frames
    >>> from ltau.adapters.metatomic import latents
    >>> kept = {"feature": ModelOutput(sample_kind="atom")}
    >>> calculator = MetatomicCalculator("model.pt", additional_outputs=kept)  # doctest: +SKIP
    >>> estimator = fit_frames(frames, calculator, latents)  # doctest: +SKIP
    """
    if not isinstance(calculator, MetatomicCalculator):
        raise TypeError(f"Expected a MetatomicCalculator, got a {type(calculator).__name__}.")
    kept = calculator.additional_outputs
    if output not in kept:
        raise ValueError(
            f"Expected a MetatomicCalculator that keeps the output {output!r}, got one with "
            f"{sorted(kept)}: give it additional_outputs={{{output!r}: "
            "ModelOutput(sample_kind='atom')}."
        )
    return rows_of(kept[output], output, len(atoms))


def rows_of(given: Any, output: str, n_atoms: int) -> NDArray[np.float32]:
    """Bring what a model gave of one structure into the order of its atoms.

    Parameters
    ----------
    given : TensorMap
        The output.
    output : str
        Its name, for errors.
    n_atoms : int
        The number of atoms.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), float32
        The rows.

    Raises
    ------
    ValueError
        If there is not one finite row for each atom.
    """
    if len(given) != 1 or given.block().samples.names != ["system", "atom"]:
        names = [block.samples.names for block in given.blocks()]
        raise ValueError(
            f"Expected the output {output!r} to be one block with a row for each atom, got blocks "
            f"with samples {names}: ask for it with sample_kind='atom'."
        )
    block = given.block()
    order = block.samples.column("atom").argsort()
    return check_rows(block.values.detach()[order], n_atoms)
