"""What adapters of force fields ask of numbers, structures and estimators, and name atoms."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from ltau.adapters._forces.results import UNIT
from ltau.estimator import LTAUEstimator

__all__ = [
    "check_atoms",
    "check_elements",
    "check_geometry",
    "check_target",
    "is_number",
    "symbols",
]


def is_number(value: object) -> bool:
    """Tell whether something is a real number, Python's or NumPy's."""
    return isinstance(value, Real)


def symbols(numbers: Iterable[int]) -> str:
    """List the chemical symbols of atomic numbers."""
    return ", ".join(chemical_symbols[number] for number in numbers)


def check_target(estimator: LTAUEstimator, unit_factor: float | None) -> None:
    """Refuse an estimator of something else than forces in eV/Å, if it tells."""
    if estimator.fitted_.targets is not None:
        raise ValueError("Expected an estimator fitted without targets, got one with targets.")
    target, unit = estimator.target_, estimator.unit_
    if target not in (None, "forces"):
        raise ValueError(f"Expected an estimator fitted on errors of forces, got one of {target}.")
    if unit_factor is None and unit not in (None, UNIT):
        raise ValueError(
            f"Expected an estimator fitted on errors in {UNIT}, got one in {unit}: "
            "give unit_factor, by which its errors are multiplied."
        )


def check_elements(estimator: LTAUEstimator) -> None:
    """Refuse strata that cannot be atomic numbers."""
    known = estimator.strata_
    if known is None:
        return
    if known.dtype.kind not in "iu" or not np.isin(known, np.arange(len(chemical_symbols))).all():
        raise ValueError(
            f"Expected an estimator whose strata are atomic numbers, got {known.tolist()}: "
            "give strata, a function of the atoms."
        )


def check_atoms(atoms: Atoms, known: NDArray[np.bool_], name: str = "the structure") -> None:
    """Refuse a structure without atoms, with NaN, or with elements unknown to the model.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    known : ndarray of shape (119,), bool
        Whether the model knows each atomic number.
    name : str
        What errors call the structure.
    """
    if not isinstance(atoms, Atoms):
        raise TypeError(f"Expected {name} to be an ase.Atoms, got {type(atoms).__name__}.")
    check_geometry(atoms.numbers, [atoms.positions, atoms.cell.array], known, name)


def check_geometry(
    numbers: NDArray[np.intp],
    geometry: list[NDArray[np.generic]],
    known: NDArray[np.bool_],
    name: str,
) -> None:
    """Refuse what `check_atoms` refuses, of a structure's parts."""
    if not len(numbers):
        raise ValueError(f"Expected atoms in {name}, got none.")
    if not all(np.isfinite(part).all() for part in geometry):
        raise ValueError(f"Expected finite positions and cell, got NaN or infinity in {name}.")
    if not known[numbers].all():
        elements, unknown = np.flatnonzero(known), np.unique(numbers[~known[numbers]])
        raise ValueError(
            f"The model knows {symbols(elements.tolist())}, got {symbols(unknown.tolist())} "
            f"in {name}."
        )
