"""LTAU on the atoms of structures, as users of force fields get it."""

from __future__ import annotations

from typing import Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from benchmarks.methods.domains import SYSTEM, Domain, Samples
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.predictions import LEVELS, ErrorPrediction
from ltau.structures import (
    StructureSamples,
    environment_cutoff,
    environment_latents,
    fit_structures,
)

__all__ = ["LTAUStructures"]


class LTAUStructures(Judge):
    """LTAU on the errors of atoms, by `ltau.structures.fit_structures`.

    Parameters
    ----------
    calibrated : bool, default=False
        Whether the validation structures choose what is not given, and calibrate.
    environment : "auto", float or None, default="auto"
        As in `fit_structures`.
    errors : {"eval", "step"}, default="eval"
        Those after each epoch, of the weights that are evaluated, or of the training steps.
    """

    def __init__(
        self,
        *,
        calibrated: bool = False,
        environment: str | float | None = "auto",
        errors: str = "eval",
    ) -> None:
        self.calibrated = calibrated
        self.environment = environment
        self.errors = errors

    def fit(self, given: Domain) -> Self:
        """Fit the trajectories; own distances are to atoms of other systems."""
        train, validation = given.train, given.validation
        frames = _frames(train)
        of_systems = all(SYSTEM in atoms.info for atoms in frames)
        self.estimator = fit_structures(
            StructureSamples(frames, train.latents, given.trajectories[self.errors]),
            StructureSamples(_frames(validation), validation.latents, validation.errors)
            if self.calibrated
            else None,
            environment=self.environment,
            groups=SYSTEM if of_systems else None,
        )
        self.estimator.set_params(n_jobs=1)
        return self

    def predict(self, asked: Samples) -> ErrorPrediction:
        """Predict the distributions, and how far the atoms lie outside."""
        strata = None if self.estimator.strata_ is None else asked.classes
        latents = self._latents(asked)
        bounds = self.estimator.predict_quantile(latents, LEVELS, strata)
        errors, score = self.estimator.predict_distribution(latents, strata, return_ood_score=True)
        return ErrorPrediction(errors, bounds, score)

    def _latents(self, samples: Samples) -> NDArray[np.float32]:
        cutoff = environment_cutoff(self.estimator)
        if cutoff is None:
            return samples.latents
        return environment_latents(samples.latents, _frames(samples), cutoff)


def _frames(samples: Samples) -> list[Atoms]:
    if samples.frames is None:
        raise ValueError("Expected samples that are atoms of structures, got others.")
    return list(samples.frames)
