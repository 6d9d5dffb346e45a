"""Weights of the training samples for another training, by their own densities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.state import Fitted

__all__ = ["training_weights"]


def training_weights(fitted: Fitted, tolerance: float | None, favor: str) -> NDArray[np.float64]:
    """Weigh the training samples, as `LTAUEstimator.sample_weight` describes it.

    Parameters
    ----------
    fitted : Fitted
        What is known of them.
    tolerance : float or None
        Error that is small enough; None takes the median of the expected errors.
    favor : {"hard", "easy"}
        Which samples count more.

    Returns
    -------
    ndarray of shape (n_samples,)
        Non-negative weights, with a mean of 1.

    Raises
    ------
    ValueError
        If all weights would be 0, `favor` is neither, or there are prototypes.
    """
    if favor not in ("hard", "easy"):
        raise ValueError(f"Expected favor 'hard' or 'easy', got {favor!r}.")
    if fitted.members is not None:
        raise ValueError(
            "sample_weight needs the density of every training sample, and the estimator "
            "holds prototypes: fit one with n_prototypes=None."
        )
    densities = fitted.sample_densities
    limit = np.asarray(np.median(densities.means) if tolerance is None else tolerance)
    if limit.ndim != 0 or limit.dtype.kind not in "iuf" or np.isnan(limit):
        raise ValueError(f"Expected a number as tolerance, got {tolerance!r}.")
    weight = densities.cdf(np.arange(len(densities)), float(limit))
    if favor == "hard":
        weight = 1.0 - weight
    if not weight.mean() > 0:
        side = "above" if favor == "hard" else "within"
        raise ValueError(f"No training error lies {side} the tolerance {limit:g}.")
    return weight / weight.mean()
