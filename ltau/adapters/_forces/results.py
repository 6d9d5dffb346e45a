"""The names of results, and what is known of the atoms that have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ase import Atoms
from numpy.typing import ArrayLike

__all__ = ["PER_ATOM", "PER_STRUCTURE", "UNIT", "Results", "Strata"]

Results = dict[str, Any]
Strata = str | Callable[[Atoms], ArrayLike]

PER_ATOM = (
    "forces_uncertainty",
    "forces_uncertainty_upper",
    "forces_error_probability",
    "ood_score",
    "latents",
)
PER_STRUCTURE = ("forces_uncertainty_max", "forces_uncertainty_mean")

UNIT = "eV/Å"
