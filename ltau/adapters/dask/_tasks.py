"""What workers do for a sharded estimator, task by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from ltau._errors.bins import ErrorBins
from ltau._errors.checks import check_seen
from ltau._fitted.densities import TrainingDensities
from ltau._fitted.own_distances import floor_of, log_sum, mean_of_others
from ltau._inputs.labels import check_size, check_strata, refuse_unseen
from ltau.adapters.dask._counts import count_block
from ltau.adapters.dask._found import predict_found
from ltau.adapters.dask._merging import NOBODY, Nearest
from ltau.adapters.dask._predictions import Output, empty
from ltau.adapters.dask._shard import Geometry, Holdings, Labels, Queries, Shard, StratumScale
from ltau.estimator import LTAUEstimator
from ltau.neighbors import Latents, refuse_exploded

__all__ = [
    "as_latents",
    "as_strata",
    "build",
    "checked",
    "finish",
    "log_sums",
    "look_up",
    "own_means",
    "own_queries",
    "recall",
    "scale",
    "search",
    "with_floors",
]

Floats = NDArray[np.float64]
Scales = Mapping[Any, StratumScale]


class Asked(NamedTuple):
    """A block of samples whose neighbours are searched."""

    queries: Queries
    strata: NDArray[np.intp] | int  # numbers of their strata


def as_latents(latents: NDArray[Any]) -> Latents:
    dtypes = [np.float64, np.float32]
    return check_array(latents, dtype=dtypes, order="C", ensure_min_samples=0)


def checked(first: int, latents: Latents, scaling: str) -> Latents:
    """Refuse training samples that hide the others of their block."""
    if len(latents):
        refuse_exploded(latents, first + np.arange(len(latents)), scaling)
    return latents


def as_strata(classes: NDArray[Any]) -> Labels | None:
    return check_strata(classes, len(classes)) if len(classes) else classes


def build(
    first: int,
    latents: Latents,
    classes: Labels | None,
    errors: NDArray[Any],
    scales: Scales,
    bins: ErrorBins,
    options: dict[str, Any],
) -> Shard:
    histogram = count_block(errors, bins)
    check_seen(histogram.n_seen > 0, first)
    densities = TrainingDensities.from_histogram(histogram)
    queries = Queries.of(latents, classes, scales)
    return Shard.build(first, densities, queries, scales, **options)


def recall(shard: Shard) -> float:
    return min((part.index.recall for part in shard.strata.values()), default=1.0)


def own_queries(shard: Shard) -> Queries:
    return shard.queries()


def scale(latents: Latents, classes: Labels | None, scales: Scales, k: int) -> Asked:
    """Scale a block of samples, and refuse strata without enough training samples."""
    queries = Queries.of(latents, classes, scales)
    if sum(len(rows) for rows, _ in queries.parts.values()) < len(latents):
        refuse_unseen([None] if classes is None else np.unique(classes).tolist(), scales)
    for label in queries.parts:
        check_size(scales[label].n_samples, k, label)
    if classes is None or not len(classes):
        return Asked(queries, 0)
    strata = np.empty(len(latents), np.intp)
    for number, label in enumerate(scales):
        if label in queries.parts:
            strata[queries.parts[label][0]] = number
    return Asked(queries, strata)


def search(shard: Shard, asked: Asked | Queries, k: int, own: bool = False) -> Nearest:
    queries = asked.queries if isinstance(asked, Asked) else asked
    return shard.search(queries, k, own=own)


def own_means(shard: Shard, found: Nearest, scales: Scales, k: int) -> Floats:
    """Average the distances of a shard's places to their nearest others.

    Where another shard has samples of a place, those are twins of it.
    """
    for label in shard.strata:
        check_size(
            scales[label].n_samples - 1, 1, label, "training samples besides the sample itself"
        )
    own = found.places == shard.places()[:, None]
    own &= found.distances <= found.floors[:, None]
    there = found.rows != NOBODY
    twins = (shard.merged.sizes > 1) | (own & there).any(axis=1)
    elsewhere = there & ~own & ~found.repeats()
    n_others = np.minimum(elsewhere.sum(axis=1), k)
    order = np.argsort(~elsewhere, axis=1, kind="stable")  # those elsewhere first, nearest first
    distances = np.take_along_axis(found.distances, order, axis=1)
    means = np.zeros(len(shard))
    for n in np.unique(n_others[n_others > 0]):
        rows = n_others == n
        means[rows] = mean_of_others(distances[rows, :n], k, twins[rows])
    return means


def log_sums(shard: Shard, means: Floats, scales: Scales) -> dict[Any, tuple[float, int]]:
    """Sum what the floors of own distances follow from, stratum by stratum."""
    return {
        label: log_sum(means[part.numbers], scales[label].floor)
        for label, part in shard.strata.items()
    }


def with_floors(shard: Shard, means: Floats, floors: Mapping[Any, float]) -> Floats:
    """Raise the own distances of a shard to the floors of their strata."""
    raised = means.copy()
    for label, part in shard.strata.items():
        raised[part.numbers] = np.maximum(means[part.numbers], floors[label])
    return raised


def floors_of(parts: list[dict[Any, tuple[float, int]]], scales: Scales) -> dict[Any, float]:
    """Find the least own distance that counts, stratum by stratum."""
    floors = {}
    for label, stratum in scales.items():
        sums = [part[label] for part in parts if label in part]
        floors[label] = floor_of(stratum.floor, sum(s for s, _ in sums), sum(n for _, n in sums))
    return floors


def look_up(shard: Shard, own_distances: Floats | None, found: Nearest) -> Holdings:
    return shard.look_up(found.rows, own_distances)


def finish(
    settings: LTAUEstimator,
    method: str,
    asked: Asked,
    found: Nearest,
    holdings: list[Holdings],
    edges: Floats,
    geometry: Geometry,
    options: dict[str, Any],
    outputs: list[Output],
) -> Any:
    if not len(found.rows):
        return empty(outputs)
    predicted = predict_found(
        settings, method, asked.strata, found, holdings, edges, geometry, options
    )
    return predicted if len(outputs) > 1 else (predicted,)
