"""LTAU as in the paper, aware of distance, and calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.predictions import LEVELS, ErrorPrediction
from ltau import LTAUEstimator

__all__ = ["DISTANCE_AWARE", "LTAU", "PAPER"]

PAPER: dict[str, Any] = {
    "n_neighbors": 10,
    "burn_in": 0.0,
    "scaling": "none",
    "distance_scaling": 0.0,
    "n_jobs": 1,
    "random_state": 0,
}
DISTANCE_AWARE = PAPER | {
    "n_neighbors": 30,
    "burn_in": 1 / 3,
    "scaling": "whiten",
    "distance_scaling": 1.0,
}


class LTAU(Judge):
    """LTAU on the training samples' errors.

    Parameters
    ----------
    settings : mapping of str to Any
        Parameters of `LTAUEstimator`.
    strata : bool
        Whether classes are strata, where there are classes.
    calibration : mapping of str to Any, optional
        Arguments of `LTAUEstimator.calibrate`; by default it is not called.
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
        strata: bool,
        calibration: Mapping[str, Any] | None = None,
        errors: str = "eval",
    ) -> None:
        self.settings = settings
        self.strata = strata
        self.calibration = calibration
        self.errors = errors

    def fit(self, given: Domain) -> Self:
        """Fit the trajectories, and calibrate on the validation samples."""
        train, validation = given.train, given.validation
        self.estimator = LTAUEstimator(**self.settings).fit(
            train.latents, given.trajectories[self.errors], self._strata(train)
        )
        if self.calibration is not None:
            strata = self._strata(validation)
            self.estimator.calibrate(
                validation.latents, validation.errors, strata, **self.calibration
            )
        return self

    def predict(self, asked: Samples) -> ErrorPrediction:
        """Predict the distributions, and how far the samples lie outside."""
        latents, strata = asked.latents, self._strata(asked)
        bounds = self.estimator.predict_quantile(latents, LEVELS, strata)
        if not self.settings["distance_scaling"]:
            errors = self.estimator.predict_distribution(latents, strata)
            return ErrorPrediction(errors, bounds, errors.mean())
        errors, score = self.estimator.predict_distribution(latents, strata, return_ood_score=True)
        return ErrorPrediction(errors, bounds, score)

    def _strata(self, samples: Samples) -> Any:
        return samples.classes if self.strata else None
