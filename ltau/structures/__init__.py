"""Structures of atoms: their errors, their atoms' environments, settings for force fields."""

from ltau.structures._cutoff import environment_cutoff
from ltau.structures._environment import environment_latents
from ltau.structures._errors import structure_max, structure_mean, structure_sum
from ltau.structures._fit import check_options as check_options
from ltau.structures._fit import fit_structures
from ltau.structures._reading import iread
from ltau.structures._samples import StructureSamples
from ltau.structures._settings import FORCE_FIELD

__all__ = [
    "FORCE_FIELD",
    "StructureSamples",
    "environment_cutoff",
    "environment_latents",
    "fit_structures",
    "iread",
    "structure_max",
    "structure_mean",
    "structure_sum",
]
