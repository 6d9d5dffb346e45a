"""The errors of samples by models that have not seen them, and what an estimator learns there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ltau._fitted.calibration import Calibration
from ltau._fitted.conformal import conformal_scores
from ltau.adapters.sklearn._latents import latents
from ltau.adapters.sklearn._stages import held_out_errors
from ltau.estimator import LTAUEstimator

__all__ = ["Fold", "Samples", "calibration_on_folds", "cross_fit"]

Errors = NDArray[np.float32]
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


class Samples(NamedTuple):
    """Features of shape (n_samples, n_features), and targets of shape (n_samples,)."""

    X: NDArray[Any]
    y: Floats

    def take(self, rows: Rows) -> Samples:
        """Take some of the samples."""
        return Samples(self.X[rows], self.y[rows])


class Fold(NamedTuple):
    """A model, the rows that it was trained on, and those that it has not seen."""

    model: Any
    seen: Rows
    held_out: Rows


def cross_fit(
    new_model: Callable[[], Any],
    samples: Samples,
    folds: Iterable[tuple[Rows, Rows]],
    random_state: int | None,
) -> tuple[list[Fold], Errors]:
    """Train a model for each fold, and compute the errors of its held-out samples by stages.

    Parameters
    ----------
    new_model : callable
        Makes an untrained model.
    samples : Samples
        All samples.
    folds : iterable of (seen, held_out)
        Rows of each fold. Every sample is held out once.
    random_state : int or None
        Seed of the order of the samples in passes over them.

    Returns
    -------
    folds : list of Fold
        The trained models.
    errors : ndarray of shape (n_samples, n_stages), float32
        Of each sample, by the model that has not seen it.
    """
    trained, parts = [], []
    for seen, held_out in folds:
        model = new_model()
        parts.append(
            held_out_errors(model, samples.take(seen), samples.take(held_out), random_state)
        )
        trained.append(Fold(model, seen, held_out))
    # A model that stopped early has fewer stages. The last ones are those that compare.
    errors = np.full((len(samples.y), max(part.shape[1] for part in parts)), np.nan, np.float32)
    for fold, part in zip(trained, parts, strict=True):
        errors[fold.held_out, errors.shape[1] - part.shape[1] :] = part
    return trained, errors


def calibration_on_folds(
    ltau: LTAUEstimator, folds: list[Fold], samples: Samples, errors: Errors
) -> Calibration:
    """Calibrate on the held-out samples of all folds, each judged as a new sample would be.

    For each fold an estimator learns from the samples that the fold's model has seen, in
    that model's latents, and judges those that it has not seen. The scale is the geometric
    mean of the folds' scales; the conformal scores of all folds are put together.

    Parameters
    ----------
    ltau : LTAUEstimator
        Its parameters are those of the estimators; it is not fitted itself.
    folds : list of Fold
        From `cross_fit`.
    samples : Samples
        All samples.
    errors : ndarray of shape (n_samples, n_stages)
        From `cross_fit`.

    Returns
    -------
    Calibration
        Scale and levels, and the exponent as `ltau` has it.
    """
    judged = [_judge(ltau, fold, samples, errors) for fold in folds]
    scale = float(np.exp(np.mean([np.log(one.scale()) for one in judged])))
    common = Calibration(scale, float(ltau.distance_scaling), {})
    scores = np.concatenate([one.scores(common) for one in judged])
    return Calibration(scale, common.exponent, {None: np.sort(scores)})


class _Judged(NamedTuple):
    """What the estimator of a fold needs to judge its held-out samples, and their errors."""

    estimator: LTAUEstimator
    latents: Errors
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


def _judge(ltau: LTAUEstimator, fold: Fold, samples: Samples, errors: Errors) -> _Judged:
    """Fit an estimator to what a fold's model has seen, and gather what it is to judge."""
    model, seen, held_out = fold
    estimator = clone(ltau).set_params(n_neighbors=min(ltau.n_neighbors, len(seen)))
    if not isinstance(ltau.n_prototypes, str | None):
        estimator.set_params(n_prototypes=min(ltau.n_prototypes, len(seen)))
    known, new = samples.take(seen), samples.take(held_out)
    estimator.fit(latents(model, known.X), errors[seen], targets=known.y)
    y_pred = model.predict(new.X).astype(np.float64)
    return _Judged(estimator, latents(model, new.X), y_pred, np.abs(y_pred - new.y))
