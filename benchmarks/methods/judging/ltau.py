"""LTAU as in the paper, as users get it, and calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.predictions import LEVELS, ErrorPrediction
from ltau import LTAUEstimator

__all__ = ["LTAU", "PAPER"]

PAPER: dict[str, Any] = {
    "n_neighbors": 10,
    "burn_in": 0.0,
    "scaling": "none",
    "distance_scaling": 0.0,
}


class LTAU(Judge):
    """LTAU on the training samples' errors, whatever the samples are.

    Parameters
    ----------
    settings : mapping of str to Any
        Parameters of `LTAUEstimator` that are not its defaults.
    targets : bool, default=True
        Whether targets are given, where there are any.
    calibrated : bool, default=False
        Whether scale and levels are learnt from the validation samples.
    errors : {"eval", "step"}, default="eval"
        Those after each epoch, of the weights that are evaluated, or of the training steps.

    Notes
    -----
    Where predicted errors are stretched by distance the `ood_score` tells what is outside,
    elsewhere the expected error. The bounds are those of `predict_quantile`, so that they keep
    what a calibration guarantees.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        targets: bool = True,
        calibrated: bool = False,
        errors: str = "eval",
    ) -> None:
        self.settings = settings
        self.targets = targets
        self.calibrated = calibrated
        self.errors = errors

    def fit(self, given: Domain) -> Self:
        """Fit the trajectories, and calibrate on the validation samples."""
        train, validation = given.train, given.validation
        self.estimator = LTAUEstimator(**self.settings, n_jobs=1).fit(
            train.latents,
            given.trajectories[self.errors],
            targets=train.targets if self.targets else None,
        )
        if self.calibrated:
            y_pred = self._y_pred(validation)
            self.estimator.calibrate(validation.latents, validation.errors, y_pred=y_pred)
        return self

    def predict(self, asked: Samples) -> ErrorPrediction:
        """Predict the distributions, and how far the samples lie outside."""
        latents, given = asked.latents, {"y_pred": self._y_pred(asked)}
        bounds = self.estimator.predict_quantile(latents, LEVELS, **given)
        if not self.estimator.distance_scaling:
            errors = self.estimator.predict_distribution(latents, **given)
            return ErrorPrediction(errors, bounds, errors.mean())
        errors, score = self.estimator.predict_distribution(latents, **given, return_ood_score=True)
        return ErrorPrediction(errors, bounds, score)

    def _y_pred(self, samples: Samples) -> Any:
        return samples.y_pred if self.targets else None
