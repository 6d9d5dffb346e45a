"""Error trajectories, latents and error bars of MACE models."""

from typing import TYPE_CHECKING, Any

from ltau.adapters.mace._calculator import UncertainMACECalculator
from ltau.adapters.mace._fit import fit_run
from ltau.adapters.mace._latents import latents
from ltau.adapters.mace._models import MACEModel, load_model
from ltau.adapters.mace._recorder import record_errors

if TYPE_CHECKING:
    from ltau.adapters.mace._mliap import UncertainMLIAP

__all__ = [
    "MACEModel",
    "UncertainMACECalculator",
    "UncertainMLIAP",
    "fit_run",
    "latents",
    "load_model",
    "record_errors",
]


def __getattr__(name: str) -> Any:
    """Import the class for LAMMPS when it is asked for: MACE's looks for LAMMPS, which may fail."""
    if name != "UncertainMLIAP":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ltau.adapters.mace._mliap import UncertainMLIAP

    return UncertainMLIAP
