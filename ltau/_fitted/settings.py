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
    stretch : {"bounded", "power"}
        How distance stretches errors, by the exponent of the calibration.
    disagreement_scaling : float
        How much of the disagreement with the neighbours' targets adds to errors.
    calibration : Calibration
        How errors are stretched, and which levels hold.
    """

    n_neighbors: int
    weights: str
    stretch: str
    disagreement_scaling: float
    calibration: Calibration

    def calibrated(self, calibration: Calibration) -> Settings:
        """Give the same settings with another calibration."""
        return self._replace(calibration=calibration)
