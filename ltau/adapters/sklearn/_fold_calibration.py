"""A calibration on the held-out samples of all folds, each judged as a new sample would be."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ltau._fitted.calibration import Calibration
from ltau._fitted.conformal import conformal_scores
from ltau.adapters.sklearn._out_of_fold import Fold
from ltau.estimator import LTAUEstimator

__all__ = ["calibration_on_folds"]

Errors = NDArray[np.float32]
Floats = NDArray[np.float64]


def calibration_on_folds(
    ltau: LTAUEstimator,
    folds: list[Fold],
    output: int,
    y: Floats,
    errors: Errors,
    groups: NDArray[np.generic] | None,
) -> Calibration:
    """Calibrate one output on the held-out samples of all folds.

    For each fold an estimator learns from the samples that the fold's model has seen, in
    that model's latents, and judges those that it has not seen. The scale is the geometric
    mean of the folds' scales; the conformal scores of all folds are put together.

    Parameters
    ----------
    ltau : LTAUEstimator
        Its parameters are those of the estimators; it is not fitted itself.
    folds : list of Fold
        From `out_of_fold`.
    output : int
        Which output it is.
    y : ndarray of shape (n_samples,)
        Targets of the output.
    errors : ndarray of shape (n_samples, n_stages)
        Errors of the output, from `out_of_fold`.
    groups : ndarray of shape (n_samples,) or None
        Group of each sample.

    Returns
    -------
    Calibration
        Scale and levels, and the exponent as `ltau` has it.
    """
    judged = [_judge(ltau, fold, output, y, errors, groups) for fold in folds]
    scale = float(np.exp(np.mean([np.log(one.scale()) for one in judged])))
    common = Calibration(scale, float(ltau.distance_scaling), {})
    scores = np.concatenate([one.scores(common) for one in judged])
    return Calibration(scale, common.exponent, {None: np.sort(scores)})


class _Judged(NamedTuple):
    """What the estimator of a fold needs to judge its held-out samples, and their errors."""

    estimator: LTAUEstimator
    latents: NDArray[np.floating[Any]]
    y_pred: Floats
    errors: Floats

    def scale(self) -> float:
        """Learn the scale that suits the held-out samples best."""
        self.estimator.calibrate(
            self.latents, self.errors, y_pred=self.y_pred, stretch_fraction=1.0
        )
        return self.estimator.settings().calibration.scale

    def scores(self, calibration: Calibration) -> Floats:
        """Find the conformal scores of the held-out samples, shape (n,)."""
        self.estimator.calibration_ = calibration
        predicted = self.estimator.predict_distribution(self.latents, y_pred=self.y_pred)
        return conformal_scores(predicted, self.errors[:, None])[:, 0]


def _judge(
    ltau: LTAUEstimator,
    fold: Fold,
    output: int,
    y: Floats,
    errors: Errors,
    groups: NDArray[np.generic] | None,
) -> _Judged:
    """Fit an estimator to what a fold's model has seen, and gather what it is to judge."""
    seen, held_out = fold.seen, fold.held_out
    estimator = clone(ltau).set_params(n_neighbors=min(ltau.n_neighbors, len(seen)))
    if not isinstance(ltau.n_prototypes, str | None):
        estimator.set_params(n_prototypes=min(ltau.n_prototypes, len(seen)))
    families = None if groups is None else groups[seen]
    estimator.fit(fold.latents[seen], errors[seen], groups=families, targets=y[seen])
    y_pred = fold.y_pred[:, output]
    return _Judged(estimator, fold.latents[held_out], y_pred, np.abs(y_pred - y[held_out]))
