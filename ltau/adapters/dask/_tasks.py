"""What workers do for a sharded estimator, task by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from ltau._errors.bins import ErrorBins
from ltau._errors.checks import check_seen
from ltau._fitted.densities import TrainingDensities
from ltau._labels import check_size, check_strata, refuse_unseen
from ltau.adapters.dask._counts import count_block
from ltau.adapters.dask._found import predict_found
from ltau.adapters.dask._predictions import Output, empty
from ltau.adapters.dask._shard import NOBODY, Holdings, Labels, Queries, Shard
from ltau.estimator import LTAUEstimator
from ltau.neighbors import LatentScaler, Neighbors, Vectors

__all__ = [
    "as_latents",
    "as_strata",
    "build",
    "complete",
    "finish",
    "look_up",
    "mean_distances",
    "own_queries",
    "recall",
    "scale",
    "search",
]

Floats = NDArray[np.float64]


def as_latents(latents: NDArray[Any]) -> Vectors:
    return check_array(latents, dtype=np.float32, order="C", ensure_min_samples=0)


def as_strata(classes: NDArray[Any]) -> Labels | None:
    return check_strata(classes, len(classes)) if len(classes) else classes


def build(
    first: int,
    latents: Vectors,
    classes: Labels | None,
    errors: NDArray[Any],
    scalers: Mapping[Any, LatentScaler],
    bins: ErrorBins,
    options: dict[str, Any],
) -> Shard:
    histogram = count_block(errors, bins)
    check_seen(histogram.n_seen > 0, first)
    cumulative = TrainingDensities.from_histogram(histogram).cumulative
    return Shard.build(first, cumulative, Queries.of(latents, classes, scalers), **options)


def recall(shard: Shard) -> float:
    return min((index.recall for _, index in shard.strata.values()), default=1.0)


def own_queries(shard: Shard) -> Queries:
    return shard.queries()


def scale(latents: Vectors, classes: Labels | None, scalers: Mapping[Any, LatentScaler]) -> Queries:
    queries = Queries.of(latents, classes, scalers)
    if sum(len(places) for places, _ in queries.parts.values()) < len(latents):
        labels = [None] if classes is None else np.unique(classes).tolist()
        refuse_unseen(labels, scalers)
    return queries


def search(shard: Shard, queries: Queries, k: int, own: bool = False) -> Neighbors:
    return shard.search(queries, k, own=own)


def complete(found: Neighbors, k: int) -> Neighbors:
    """Refuse to go on with fewer neighbours than asked for."""
    there = (found[1] != NOBODY).sum(axis=1)
    check_size(there.min(initial=k), k, None, "training samples in each stratum")
    return found


def mean_distances(found: Neighbors) -> Floats:
    """Average over the neighbours that there are: a small stratum has fewer."""
    distances, rows = found
    there = (rows != NOBODY).sum(axis=1)
    if not there.all():
        raise ValueError("Expected two training samples or more in each stratum, got a single one.")
    means = np.empty(len(rows))
    for n in np.unique(there):
        means[there == n] = distances[there == n, :n].mean(axis=1)
    return means


def look_up(shard: Shard, own_distances: Floats | None, found: Neighbors) -> Holdings:
    return shard.look_up(found[1], own_distances)


def finish(
    settings: LTAUEstimator,
    method: str,
    found: Neighbors,
    near: list[Holdings],
    edges: Floats,
    options: dict[str, Any],
    outputs: list[Output],
) -> Any:
    if not len(found[1]):
        return empty(outputs)
    predicted = predict_found(settings, method, found, near, edges, options)
    return predicted if len(outputs) > 1 else (predicted,)
