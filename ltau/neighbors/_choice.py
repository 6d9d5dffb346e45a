"""The fastest index for a set of vectors, by measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf, log
from time import perf_counter
from typing import Any

import numpy as np

from ltau.neighbors._base import NeighborIndex, Vectors
from ltau.neighbors._flat import FlatIndex
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._hnsw import HNSWIndex
from ltau.neighbors._ivf import IVFIndex
from ltau.neighbors._partition import max_n_cells

__all__ = ["fastest_index"]

# Building may take as long as an exact search of so many queries at once.
_BUDGET_QUERIES = 50_000
_MOST_CELLS = 4  # times sqrt(n): beyond, they cost much to train and gain little
_HOPELESS = 2  # times as slow as the best: tuning ends
_TWICE_THE_CELLS = 4  # times the work of k-means, which compares more vectors with more cells
_GRAPH_FROM = 20_000  # vectors: below, a partition is about as fast, and built at once
_GRAPH_SHARE = 10  # one in so many vectors is tried before all are, and one in so many of those
_GRAPH_MOST = 20_000  # vectors that are tried


def fastest_index(
    vectors: Vectors, k: int, recall: float, random_state: int | None
) -> NeighborIndex:
    """Measure flat, IVF and HNSW, and take the one whose queries take the least time.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search, which the index takes over and may put into another order.
    k : int
        Number of neighbours.
    recall : float
        Share of the true neighbours to find.
    random_state : int or None
        Seed of what is built, and of the sample on which it is measured.

    Returns
    -------
    NeighborIndex
        The fastest that reaches the recall: at the worst flat, which is exact. Its
        `report` has what was measured, in the order of the trials.
    """
    held_out = HeldOut.draw(vectors, k, random_state)
    flat = _measured(FlatIndex(vectors), held_out)
    seconds = _BUDGET_QUERIES * flat.record["microseconds_many"] / 1e6
    trials, best = [flat], flat
    for trial in _partitions(vectors, held_out, recall, random_state, flat.cost, seconds):
        trials.append(trial)
        best = min(best, trial, key=_cost)
        seconds -= trial.record["build_seconds"]
    if len(vectors) >= _GRAPH_FROM:
        for trial in _graphs(vectors, held_out, recall, random_state, best.cost, seconds):
            trials.append(trial)
            if trial.record["n_vectors"] == len(vectors):
                best = min(best, trial, key=_cost)
    best.record["chosen"] = True
    index = best.again()
    index.report = [trial.record for trial in trials]
    return index


@dataclass(frozen=True)
class _Trial:
    """What was measured of an index, and how to have it again.

    The index itself is not kept, so that the memory of one is enough.
    """

    record: dict[str, Any]
    cost: float  # seconds a query, infinite if it is of no use
    again: Callable[[], NeighborIndex]


def _cost(trial: _Trial) -> float:
    return trial.cost


def _measured(
    index: NeighborIndex,
    held_out: HeldOut,
    build_seconds: float = 0.0,
    again: Callable[[], NeighborIndex] | None = None,
    useful: bool = True,
) -> _Trial:
    """Time an index, unless it is of no use."""
    times = held_out.times(index) if useful else None
    record = {
        "kind": index.kind,
        "parameters": index.parameters,
        "n_vectors": len(index),
        "recall": index.recall,
        "microseconds_few": None if times is None else 1e6 * times.few,
        "microseconds_many": None if times is None else 1e6 * times.many,
        "build_seconds": build_seconds,
        "nbytes": index.nbytes,
        "chosen": False,
    }
    return _Trial(record, inf if times is None else times.cost, again or (lambda: index))


def _partitions(
    vectors: Vectors,
    held_out: HeldOut,
    recall: float,
    random_state: int | None,
    best_cost: float,
    seconds: float,
) -> Iterator[_Trial]:
    """Try ``sqrt(n)`` cells, and twice and four times as many while that makes it faster."""
    root = round(len(vectors) ** 0.5)
    most_cells = min(_MOST_CELLS * root, max_n_cells(len(vectors)))
    n_cells, expected = min(root, most_cells), 0.0
    while n_cells <= most_cells and expected <= seconds:
        start = perf_counter()
        index = IVFIndex.build(vectors, random_state, n_cells)
        took = perf_counter() - start
        useful = index.tune(held_out, recall, worth=_HOPELESS * best_cost)
        trial = _measured(index, held_out, took, _maker(vectors, index), useful)
        index.partition.unsort(vectors)
        yield trial
        if trial.cost >= best_cost:
            return
        best_cost = trial.cost
        seconds -= took
        n_cells, expected = 2 * n_cells, _TWICE_THE_CELLS * took


def _maker(vectors: Vectors, index: IVFIndex) -> Callable[[], NeighborIndex]:
    """Remember all of an index but its vectors, which the next one sorts in another way."""
    partition, effort, recall = index.partition, index.effort, index.recall

    def again() -> NeighborIndex:
        partition.sort(vectors)
        made = IVFIndex(vectors, partition)
        made.effort, made.recall = effort, recall
        return made

    return again


def _graphs(
    vectors: Vectors,
    held_out: HeldOut,
    recall: float,
    random_state: int | None,
    best_cost: float,
    seconds: float,
) -> Iterator[_Trial]:
    """Try graphs of two parts of the vectors, and of all where that may pay.

    A graph of more vectors takes more effort, most where they lie in clusters, between
    which few links lead; as much more for each tenfold as from the first part to the
    second. To build it takes n log(n).
    """
    n = len(vectors)
    n_part, efforts = min(n // _GRAPH_SHARE, _GRAPH_MOST), []
    rows = np.random.default_rng(random_state).permutation(n)[:n_part]
    for size in (n_part // _GRAPH_SHARE, n_part):
        part = vectors[np.sort(rows[:size])]
        trial = _graph(part, HeldOut.draw(part, held_out.k, random_state), recall, best_cost)
        yield trial
        if trial.cost >= best_cost:
            return
        efforts.append(trial.record["parameters"]["effort"])
    growth = max(1.0, efforts[1] / efforts[0]) ** log(n / n_part, _GRAPH_SHARE)
    build_seconds = trial.record["build_seconds"] * n * log(n) / (n_part * log(n_part))
    if trial.cost * growth < best_cost and build_seconds <= seconds:
        yield _graph(vectors, held_out, recall, best_cost)


def _graph(vectors: Vectors, held_out: HeldOut, recall: float, worth: float) -> _Trial:
    start = perf_counter()
    index = HNSWIndex.build(vectors)
    took = perf_counter() - start
    return _measured(index, held_out, took, useful=index.tune(held_out, recall, _HOPELESS * worth))
