"""Nearest training samples: one search backend a file, one way in (`make_index`)."""

from ltau.neighbors.base import NeighborIndex, Neighbors
from ltau.neighbors.factory import make_index
from ltau.neighbors.latents import LatentIndex

__all__ = ["LatentIndex", "NeighborIndex", "Neighbors", "make_index"]
