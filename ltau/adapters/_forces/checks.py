"""What adapters of force fields ask of numbers, and how they name atoms in errors."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real

from ase.data import chemical_symbols

__all__ = ["is_number", "symbols"]


def is_number(value: object) -> bool:
    """Tell whether something is a real number, Python's or NumPy's."""
    return isinstance(value, Real)


def symbols(numbers: Iterable[int]) -> str:
    """List the chemical symbols of atomic numbers."""
    return ", ".join(chemical_symbols[number] for number in numbers)
