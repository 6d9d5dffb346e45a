"""Error trajectories, latents and error bars of NequIP models."""

from ltau.adapters.nequip._calculator import UncertainNequIPCalculator
from ltau.adapters.nequip._callback import ErrorRecorderCallback
from ltau.adapters.nequip._compile import compile_model
from ltau.adapters.nequip._fit import fit_run
from ltau.adapters.nequip._latents import latents
from ltau.adapters.nequip._models import NequIPModel, load_model

__all__ = [
    "ErrorRecorderCallback",
    "NequIPModel",
    "UncertainNequIPCalculator",
    "compile_model",
    "fit_run",
    "latents",
    "load_model",
]
