"""Structures of atoms: their errors, their atoms' environments, settings for force fields."""

from ltau.structures._environment import environment_latents
from ltau.structures._errors import structure_max, structure_mean, structure_sum
from ltau.structures._settings import FORCE_FIELD

__all__ = [
    "FORCE_FIELD",
    "environment_latents",
    "structure_max",
    "structure_mean",
    "structure_sum",
]
