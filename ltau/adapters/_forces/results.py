"""The names of results, and how a calculator holds them beside those that ASE knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ase import Atoms
from ase.outputs import all_outputs
from numpy.typing import ArrayLike

__all__ = ["PER_ATOM", "PER_STRUCTURE", "UNIT", "CalculatorResults", "Results", "Strata"]

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


class CalculatorResults(dict[str, Any]):
    """What a calculator gives, and the uncertainty, which is found by its names.

    ASE takes every item for a property that it knows: ``atoms.get_properties`` and
    ``SinglePointCalculator(atoms, **results)`` fail at any other. So the items are those of
    the calculator that ASE knows; ``results[name]``, ``results.get(name)`` and
    ``name in results`` find all that it gives, and the uncertainty too.

    Parameters
    ----------
    own : mapping
        What the calculator gives.
    uncertainty : mapping
        What this library adds, under other names.

    Attributes
    ----------
    uncertainty : dict
        The same.
    others : dict
        What the calculator gives, and ASE does not know.
    """

    def __init__(self, own: Mapping[str, Any], uncertainty: Mapping[str, Any]) -> None:
        super().__init__({name: own[name] for name in own if name in all_outputs})
        self.others = {name: own[name] for name in own if name not in all_outputs}
        self.uncertainty = dict(uncertainty)

    def __missing__(self, name: str) -> Any:
        return self.uncertainty[name] if name in self.uncertainty else self.others[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.uncertainty or name in self.others

    def get(self, name: str, default: Any = None) -> Any:
        """Give a result by its name, or the default where there is none."""
        beside = self.uncertainty.get(name, self.others.get(name, default))
        return super().get(name, beside)
