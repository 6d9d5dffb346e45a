"""What a method says of the errors of samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau import ErrorDistribution

__all__ = ["LEVELS", "ErrorPrediction"]

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.9)  # of bounds and intervals


class ErrorPrediction(NamedTuple):
    """What a method says of the errors of some samples, and of whether it knows their like."""

    errors: ErrorDistribution  # of each sample
    bounds: Floats  # (n, 2), errors not exceeded with the probabilities of LEVELS
    ood_score: Floats  # (n,), higher outside the domain
