"""Uncertainty of forces in the Atomic Simulation Environment."""

from ltau.adapters._forces.own_pass import runs_calculator
from ltau.adapters.ase._calculator import UncertainCalculator
from ltau.adapters.ase._checkpoints import errors_from_checkpoints
from ltau.adapters.ase._fit import fit_frames
from ltau.adapters.ase._invariance import check_invariant
from ltau.adapters.ase._monitor import UncertaintyMonitor
from ltau.adapters.ase._uncertainty import Uncertainty

__all__ = [
    "UncertainCalculator",
    "Uncertainty",
    "UncertaintyMonitor",
    "check_invariant",
    "errors_from_checkpoints",
    "fit_frames",
    "runs_calculator",
]
