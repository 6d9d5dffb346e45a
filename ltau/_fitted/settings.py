"""By what neighbours become a prediction."""

from __future__ import annotations

from typing import NamedTuple

from ltau._fitted.calibration import Calibration

__all__ = ["Settings"]


class Settings(NamedTuple):
    """By what neighbours become a prediction.

    Parameters
    ----------
    n_neighbors : int
        Number of neighbours.
    weights : {"uniform", "distance"}
        How they are weighed.
    calibration : Calibration
        How errors are stretched, and which levels hold.
    """

    n_neighbors: int
    weights: str
    calibration: Calibration
