"""The number of prototypes, by the score that they lose on held-out samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ltau._fitted.samples import TrainingSamples

if TYPE_CHECKING:
    from ltau.estimator import LTAUEstimator

__all__ = ["choose_number"]

_HELD_OUT_SHARE = 0.2
_MOST_HELD_OUT = 5000


def choose_number(
    estimator: LTAUEstimator, samples: TrainingSamples
) -> tuple[int | None, dict[int, float]]:
    """Find the fewest prototypes that lose no more score than `prototype_tolerance`.

    Their number is doubled, from as many as neighbours in each stratum to half of the
    samples. A fifth of the samples, but at most 5,000, are held out, and scored by an
    estimator of all the others and by each of prototypes of these. A number's loss is
    relative to the best of them, which need not be that of all: where `n_neighbors` is
    small, prototypes average out noise, and the fewest would pass beside it.

    Parameters
    ----------
    estimator : LTAUEstimator
        Its parameters are those of all estimators that are made; nothing is learnt by it.
    samples : TrainingSamples
        The training samples.

    Returns
    -------
    number : int or None
        The number; None if every one lost more.
    losses : dict of int to float
        Of each number, by how much, relatively, the mean CRPS was above the least.

    Raises
    ------
    ValueError
        If no sample can be held out: a stratum keeps one more than neighbours.
    """
    held_out = _hold_out(samples, estimator.n_neighbors, estimator.random_state)
    tested, rest = samples.take(np.flatnonzero(held_out)), samples.take(np.flatnonzero(~held_out))
    errors = tested.trajectories.read()

    def crps(n_prototypes: int | None) -> float:
        twin = clone(estimator)
        twin._learn(rest, n_prototypes)
        return -twin.score(tested.latents, errors, tested.strata)

    reached = {number: crps(number) for number in _numbers(rest, estimator.n_neighbors)}
    best = min([crps(None), *reached.values()])
    losses = {number: value / best - 1 for number, value in reached.items()}
    enough = (n for n, loss in losses.items() if loss <= estimator.prototype_tolerance)
    return next(enough, None), losses


def _numbers(samples: TrainingSamples, n_neighbors: int) -> Iterator[int]:
    """Double the number of prototypes."""
    number = n_neighbors * (1 if samples.strata is None else len(np.unique(samples.strata)))
    while number <= len(samples.latents) // 2:
        yield number
        number *= 2


def _hold_out(
    samples: TrainingSamples, n_neighbors: int, random_state: int | None
) -> NDArray[np.bool_]:
    """Draw samples at random, the same share of each stratum."""
    n_samples = len(samples.latents)
    rng = np.random.default_rng(random_state)
    fraction = min(_HELD_OUT_SHARE, _MOST_HELD_OUT / n_samples)
    held_out = np.zeros(n_samples, bool)
    classes = np.zeros(n_samples) if samples.strata is None else samples.strata
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        n = min(round(fraction * len(members)), len(members) - n_neighbors - 1)
        held_out[rng.permutation(members)[: max(0, n)]] = True
    if not held_out.any():
        raise ValueError(
            "Expected training samples to hold out for n_prototypes='auto', more than "
            f"n_neighbors = {n_neighbors} in a stratum, got n_samples = {n_samples}."
        )
    return held_out
