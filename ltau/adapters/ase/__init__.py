"""Uncertainty of forces in the Atomic Simulation Environment."""

from ltau.adapters.ase._calculator import UncertainCalculator
from ltau.adapters.ase._checkpoints import errors_from_checkpoints
from ltau.adapters.ase._monitor import UncertaintyMonitor
from ltau.adapters.ase._uncertainty import Uncertainty

__all__ = [
    "UncertainCalculator",
    "Uncertainty",
    "UncertaintyMonitor",
    "errors_from_checkpoints",
]
