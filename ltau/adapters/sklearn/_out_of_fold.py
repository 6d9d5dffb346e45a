"""Models that are each trained without a fold, and what they make of the samples."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau._progress import Tell
from ltau.adapters.sklearn._rows import take
from ltau.adapters.sklearn._space import LatentSpace
from ltau.adapters.sklearn._splits import Split
from ltau.adapters.sklearn._stages import staged_errors

__all__ = ["Fold", "out_of_fold"]

Errors = NDArray[np.float32]
Rows = NDArray[np.intp]


class Fold(NamedTuple):
    """What a model that was trained without a fold makes of all samples.

    Latents have the shape (n_samples, n_latents); predictions of the held-out samples
    (n_held_out, n_outputs).
    """

    seen: Rows
    held_out: Rows
    latents: NDArray[np.floating[Any]]
    y_pred: NDArray[np.float64]


def out_of_fold(
    train: Callable[[Rows], Any],
    X: Any,
    y: NDArray[np.float64],
    splits: Collection[Split],
    tell: Tell,
) -> tuple[list[Fold], Errors]:
    """Train a model for each fold, and compute the errors of its held-out samples by stages.

    Parameters
    ----------
    train : callable
        Trains a model on some rows.
    X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        All samples.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    splits : list of (seen, held_out)
        Rows of each fold. Every sample is held out once.
    tell : callable
        Is told which fold comes next.

    Returns
    -------
    folds : list of Fold
        What each model makes of the samples.
    errors : ndarray of shape (n_outputs, n_samples, n_stages), float32
        Of each sample, by the model that has not seen it.
    """
    folds, parts = [], []
    for number, (seen, held_out) in enumerate(splits, start=1):
        tell(f"fold {number} of {len(splits)}")
        model, new = train(seen), take(X, held_out)
        parts.append(staged_errors(model, new, y[held_out]))
        y_pred = np.asarray(model.predict(new), np.float64).reshape(len(held_out), -1)
        latents = LatentSpace(model, take(X, seen)).latents(X)
        folds.append(Fold(seen, held_out, latents, y_pred))
    # A model that stopped early has fewer stages. The last ones are those that compare.
    n_outputs, n_stages = len(parts[0]), max(part.shape[2] for part in parts)
    errors = np.full((n_outputs, len(y), n_stages), np.nan, np.float32)
    for fold, part in zip(folds, parts, strict=True):
        errors[:, fold.held_out, n_stages - part.shape[2] :] = part
    return folds, errors
