"""The number of prototypes, by the score that they lose on held-out samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.samples import TrainingSamples

__all__ = ["choose_number"]

_HELD_OUT_SHARE = 0.2
_MOST_HELD_OUT = 5000


def choose_number(
    samples: TrainingSamples,
    n_neighbors: int,
    tolerance: float,
    random_state: int | None,
    crps: Callable[[TrainingSamples, TrainingSamples, int | None], float],
) -> tuple[int | None, dict[int, float]]:
    """Find the fewest prototypes that lose no more score than the tolerance.

    Their number is doubled, from as many as neighbours in each stratum to half of the
    samples. A fifth of the samples, but at most 5,000, are held out, and scored by an
    estimator of all the others and by each of prototypes of these. A number's loss is
    relative to the best of them, which need not be that of all: where `n_neighbors` is
    small, prototypes average out noise, and the fewest would pass beside it.

    Parameters
    ----------
    samples : TrainingSamples
        The training samples.
    n_neighbors : int
        Number of neighbours.
    tolerance : float
        Relative loss that is allowed.
    random_state : int or None
        Seed of what is held out.
    crps : callable
        Of samples to learn from, samples held out, and a number of prototypes or None for
        all, it gives the mean CRPS.

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
    held_out = _hold_out(samples, n_neighbors, random_state)
    tested, rest = samples.take(np.flatnonzero(held_out)), samples.take(np.flatnonzero(~held_out))
    reached = {number: crps(rest, tested, number) for number in _numbers(rest, n_neighbors)}
    best = min([crps(rest, tested, None), *reached.values()])
    losses = {number: value / best - 1 for number, value in reached.items()}
    enough = (n for n, loss in losses.items() if loss <= tolerance)
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
    """Draw samples at random, the same share of each stratum; or groups as a whole."""
    n_samples = len(samples.latents)
    rng = np.random.default_rng(random_state)
    fraction = min(_HELD_OUT_SHARE, _MOST_HELD_OUT / n_samples)
    draw = _draw_samples if samples.groups is None else _draw_groups
    held_out = draw(samples, fraction, n_neighbors, rng)
    if not held_out.any():
        raise ValueError(
            "Expected training samples to hold out for n_prototypes='auto', more than "
            f"n_neighbors = {n_neighbors} in a stratum, got n_samples = {n_samples}."
        )
    return held_out


def _draw_samples(
    samples: TrainingSamples, fraction: float, n_neighbors: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    held_out = np.zeros(len(samples.latents), bool)
    classes = np.zeros(len(held_out)) if samples.strata is None else samples.strata
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        n = min(round(fraction * len(rows)), len(rows) - n_neighbors - 1)
        held_out[rng.permutation(rows)[: max(0, n)]] = True
    return held_out


def _draw_groups(
    samples: TrainingSamples, fraction: float, n_neighbors: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw groups, as long as every stratum keeps enough samples, and several groups."""
    groups = np.asarray(samples.groups)
    _, codes = np.unique(
        np.zeros(len(groups)) if samples.strata is None else samples.strata, return_inverse=True
    )
    table = np.zeros((groups.max() + 1, codes.max() + 1), np.intp)  # samples, by group and stratum
    np.add.at(table, (groups, codes), 1)
    most, drawn, left = fraction * len(groups), np.zeros(len(table), bool), table.copy()
    for group in rng.permutation(len(table)):
        rest = left.copy()
        rest[group] = 0
        enough = (rest.sum(axis=0) > n_neighbors).all() and ((rest > 0).sum(axis=0) > 1).all()
        if enough and len(groups) - rest.sum() <= most:
            drawn[group], left = True, rest
    return drawn[groups]
