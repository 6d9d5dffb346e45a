"""Calibration of predicted distributions, the same as that of LTAU."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from benchmarks.methods.predictions import LEVELS
from ltau import Calibration, ErrorDistribution
from ltau.metrics import crps

__all__ = ["Calibrator"]

Floats = NDArray[np.float64]


class Calibrator(NamedTuple):
    """A scale and conformal levels from held-out samples, as `LTAUEstimator.calibrate` learns them.

    The scale of all errors is the one with the least mean CRPS. The bounds are those quantiles of
    the scaled distributions that held-out errors kept often enough [1]_.

    Parameters
    ----------
    calibration : Calibration
        What was learnt.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman and G. Shafer, "Algorithmic learning in a random world",
       Springer (2005). doi:10.1007/b106715
    """

    calibration: Calibration

    @classmethod
    def fit(cls, predicted: ErrorDistribution, errors: Floats) -> Self:
        """Learn from the distributions and the observed errors of held-out samples."""

        def loss(log_scale: float) -> float:
            scales = np.full(len(errors), math.exp(log_scale))
            return crps(errors, predicted.scaled(scales))

        scale = math.exp(minimize_scalar(loss, bracket=(0.0, 0.3)).x)
        scaled = predicted.scaled(np.full(len(errors), scale))
        levels, largest = scaled.cdf(errors[:, None])[:, 0], scaled.quantile(1.0)
        # Beyond the largest error that was predicted, levels go on above 1 in proportion.
        scores = np.where(errors > largest, errors / largest, levels)
        return cls(Calibration(scale, 0.0, {None: np.sort(scores)}))

    def __call__(self, predicted: ErrorDistribution) -> tuple[ErrorDistribution, Floats]:
        """Calibrate distributions; the bounds of LEVELS have shape (n, 2)."""
        scaled = predicted.scaled(np.full(len(predicted), self.calibration.scale))
        levels = np.concatenate([self.calibration.levels(level) for level in LEVELS])
        return scaled, scaled.quantile(np.minimum(levels, 1.0)) * np.maximum(levels, 1.0)
