"""Nearest training samples: one search backend a file, one way in (`make_index`)."""

from ltau.neighbors._base import Latents, NeighborIndex, Neighbors, Vectors
from ltau.neighbors._factory import INDEX_CLASSES, make_index
from ltau.neighbors._flat import FlatIndex
from ltau.neighbors._latents import Found, LatentIndex, Stratum
from ltau.neighbors._merging import merge_coincident
from ltau.neighbors._scaling import LatentScaler, scatter
from ltau.neighbors._strata import ScaledStratum, scale_strata
from ltau.neighbors._threads import n_threads

__all__ = [
    "INDEX_CLASSES",
    "FlatIndex",
    "Found",
    "LatentIndex",
    "LatentScaler",
    "Latents",
    "NeighborIndex",
    "Neighbors",
    "ScaledStratum",
    "Stratum",
    "Vectors",
    "make_index",
    "merge_coincident",
    "n_threads",
    "scale_strata",
    "scatter",
]
