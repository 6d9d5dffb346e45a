"""An ASE calculator as engines ask it: for energy, forces and stress of what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from numpy.typing import ArrayLike, NDArray

from ltau.adapters._forces.results import PER_ATOM, PER_STRUCTURE, Results

__all__ = ["Potential"]

Floats = NDArray[np.float64]


class Potential:
    """Energy, forces, stress and uncertainty of an engine's atoms, by an ASE calculator.

    Parameters
    ----------
    calculator : ase calculator
        What computes them, such as `UncertainCalculator`.

    Attributes
    ----------
    atoms : ase.Atoms
        The structure of the last call, with the calculator and its results.
    energy : float
        Its energy, in eV.
    forces : ndarray of shape (n_atoms, 3)
        Its forces, in eV/Å.
    stress : ndarray of shape (6,)
        Its stress, in eV/Å³ and in ASE's order and sign; NaN if the calculator gives none.
    """

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator
        self.atoms = Atoms()

    def compute(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: Sequence[bool]
    ) -> None:
        """Compute all of a structure.

        Parameters
        ----------
        numbers : array-like of shape (n_atoms,)
            Atomic numbers.
        positions : array-like of shape (n_atoms, 3)
            Positions in Å.
        cell : array-like of shape (3, 3)
            Vectors of the cell in Å, one per row.
        pbc : sequence of 3 bools
            Whether it is periodic along each of them.

        Raises
        ------
        ValueError
            If the forces are not finite, or from the calculator.
        """
        self.atoms = Atoms(numbers, positions, cell=cell, pbc=pbc, calculator=self.calculator)
        self.energy = float(self.atoms.get_potential_energy())
        self.forces: Floats = np.asarray(self.atoms.get_forces(), np.float64)
        if not np.isfinite(self.forces).all():
            raise ValueError("Expected finite forces, got NaN or infinity from the calculator.")
        self.stress = self._stress()

    def uncertainty(self) -> Results:
        """Give the uncertainty of the last structure by name, NaN in a step without."""
        found = self.calculator.results
        names = set(self.calculator.implemented_properties)
        known: Results = {
            name: found.get(name, np.full(len(self.atoms), np.nan))
            for name in PER_ATOM
            if name in names and name != "latents"
        }
        return known | {name: found.get(name, np.nan) for name in PER_STRUCTURE}

    def _stress(self) -> Floats:
        if "stress" in self.calculator.implemented_properties:
            try:
                return np.asarray(self.atoms.get_stress(), np.float64)
            except PropertyNotImplementedError:  # of a structure without a cell, say
                pass
        return np.full(6, np.nan)
