"""A second model, from latents to distributions of the error."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from copy import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, GroupShuffleSplit

from benchmarks.methods.calibrator import Calibrator
from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.features import Features
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.predictions import ErrorPrediction
from benchmarks.methods.staged import Staged
from ltau import ErrorDistribution

__all__ = ["Learned"]

Floats = NDArray[np.float64]

_CUTOFF = 3.5  # Å, of the environments that are tried, as `fit_structures` does
_N_EPOCHS = 5  # of which errors are learnt, spread over the last two thirds
_N_FOLDS = 5


class Learned(Judge):
    """A model that learns distributions of the error from latents and classes.

    It learns what LTAU is given: the errors of the training samples in the later epochs, by
    default. A fifth of the training structures is left out to choose settings, and whether atoms
    have the latents of their neighbours beside their own; then it learns from all. The validation
    samples calibrate, in the same way as LTAU.

    Parameters
    ----------
    held_out : bool, default=False
        Whether it learns the errors of the validation samples instead, which are fewer but have
        what the model's overfitting adds. Five folds of structures choose settings then, and
        predictions for folds that were left out calibrate.
    """

    def __init__(self, *, held_out: bool = False) -> None:
        self.held_out = held_out

    def fit(self, given: Domain) -> Self:
        """Choose, learn and calibrate."""
        validation = given.validation
        if self.held_out:
            self._choose(validation, validation.errors[:, None], GroupKFold(_N_FOLDS))
            predicted = self._left_out(validation)
        else:
            one_split = GroupShuffleSplit(1, test_size=1 / _N_FOLDS, random_state=0)
            self._choose(given.train, _late(given.trajectories["eval"]), one_split)
            predicted = self.model.predict(self.features(validation))
        self.calibrator = Calibrator.fit(predicted, validation.errors)
        return self

    def predict(self, asked: Samples) -> ErrorPrediction:
        """Predict the distributions; the expected error tells what is outside."""
        errors, bounds = self.calibrator(self.model.predict(self.features(asked)))
        return ErrorPrediction(errors, bounds, errors.mean())

    @abstractmethod
    def make(self) -> Staged:
        """Make the model, untrained."""

    def _choose(
        self, samples: Samples, errors: Floats, splitter: GroupKFold | GroupShuffleSplit
    ) -> None:
        """Choose features and settings by samples that are left out, and learn from all."""
        splits = list(splitter.split(samples.latents, groups=samples.groups))
        least = np.inf
        for cutoff in (None,) if samples.frames is None else (None, _CUTOFF):
            model, features = self.make(), Features(cutoff).fit(samples)
            loss = model.choose(features(samples), errors, splits)
            if loss < least:
                least, self.model, self.features = loss, model, features
        self.model.fit(self.features(samples), errors)

    def _left_out(self, samples: Samples) -> ErrorDistribution:
        """Predict each fold by a model of the others."""
        X, errors = self.features(samples), samples.errors[:, None]
        model, parts, order = copy(self.model), [], []
        for rows, others in GroupKFold(_N_FOLDS).split(X, groups=samples.groups):
            parts.append(model.fit(X[rows], errors[rows]).predict(X[others]))
            order.append(others)
        return _joined(parts)[np.argsort(np.concatenate(order))]


def _late(trajectories: NDArray[np.float32]) -> Floats:
    """Take the errors of some later epochs, shape (n_samples, n_epochs)."""
    last = trajectories.shape[1] - 1
    columns = np.unique(np.linspace(last / 3, last, _N_EPOCHS).astype(int))
    return trajectories[:, columns].astype(np.float64)


def _joined(parts: Iterable[ErrorDistribution]) -> ErrorDistribution:
    """Put distributions of the same bins one after the other."""
    rows = list(parts)
    return ErrorDistribution(
        np.concatenate([part.probabilities for part in rows]),
        rows[0].edges,
        np.concatenate([part.scale for part in rows]),
    )
