"""The uncertainty of forces inside of metatomic's models, whatever made them."""

from ltau.adapters.metatomic._latents import latents
from ltau.adapters.metatomic._model import add_uncertainty, uncertainty_outputs

__all__ = ["add_uncertainty", "latents", "uncertainty_outputs"]
