"""Weights of the training samples for another training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ltau._fitted.densities import TrainingDensities
from ltau._prototypes.condense import Members

__all__ = ["WeightingMixin"]

Floats = NDArray[np.float64]


class WeightingMixin:
    """Weights from the training samples' own densities."""

    _densities: TrainingDensities
    _members: Members | None

    def sample_weight(self, tolerance: float | None = None, *, favor: str = "hard") -> Floats:
        """Weigh the training samples for another training, by their own densities.

        The weights serve as `sample_weight` of a scikit-learn model, or as those of a
        `torch.utils.data.WeightedRandomSampler`. Which way helps depends on why samples
        are hard: too few of their kind, or noise in their targets. Neither helps of
        itself: on seven public regression sets, ``"hard"`` made the average error larger
        (``python -m benchmarks.regression``).

        Parameters
        ----------
        tolerance : float, optional
            Error that is small enough, in its unit; by default the median of the
            training samples' expected errors.
        favor : {"hard", "easy"}, default="hard"
            ``"hard"`` weighs each sample by P(error > tolerance) during its training:
            samples that were learnt late or never count more. ``"easy"`` weighs it by
            P(error <= tolerance): samples that look mislabelled or noisy count less.

        Returns
        -------
        ndarray of shape (n_samples_fit,)
            Non-negative weights, with a mean of 1.

        Raises
        ------
        ValueError
            If all weights would be 0, `favor` is neither, or the estimator holds
            prototypes, which do not know their members apart.
        """
        check_is_fitted(self)
        if favor not in ("hard", "easy"):
            raise ValueError(f"Expected favor 'hard' or 'easy', got {favor!r}.")
        if self._members is not None:
            raise ValueError(
                "sample_weight needs the density of every training sample, and the estimator "
                "holds prototypes: fit one with n_prototypes=None."
            )
        limit = np.asarray(np.median(self._densities.means) if tolerance is None else tolerance)
        if limit.ndim != 0 or limit.dtype.kind not in "iuf" or np.isnan(limit):
            raise ValueError(f"Expected a number as tolerance, got {tolerance!r}.")
        weight = self._densities.cdf(np.arange(len(self._densities)), float(limit))
        if favor == "hard":
            weight = 1.0 - weight
        if not weight.mean() > 0:
            side = "above" if favor == "hard" else "within"
            raise ValueError(f"No training error lies {side} the tolerance {limit:g}.")
        return weight / weight.mean()
