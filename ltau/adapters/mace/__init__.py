"""Error trajectories, latents and error bars of MACE models."""

from ltau.adapters.mace._calculator import UncertainMACECalculator
from ltau.adapters.mace._fit import fit_run
from ltau.adapters.mace._latents import latents
from ltau.adapters.mace._mliap import UncertainMLIAP
from ltau.adapters.mace._models import MACEModel, load_model
from ltau.adapters.mace._recorder import record_errors

__all__ = [
    "MACEModel",
    "UncertainMACECalculator",
    "UncertainMLIAP",
    "fit_run",
    "latents",
    "load_model",
    "record_errors",
]
