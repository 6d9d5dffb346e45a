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
from ltau._inputs.labels import check_size, check_strata, refuse_unseen
from ltau._inputs.outputs import as_outputs
from ltau.adapters.dask._counts import count_block
from ltau.adapters.dask._found import predict_found
from ltau.adapters.dask._groups import numbers_of
from ltau.adapters.dask._merging import Nearest
from ltau.adapters.dask._predictions import Output, empty
from ltau.adapters.dask._shard import (
    Geometry,
    Holdings,
    Labels,
    OwnMeans,
    Queries,
    Shard,
    StratumScale,
)
from ltau.estimator import LTAUEstimator
from ltau.neighbors import Latents, refuse_exploded

__all__ = [
    "as_latents",
    "as_strata",
    "as_targets",
    "build",
    "checked",
    "finish",
    "look_up",
    "recall",
    "scale",
    "search",
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


def as_targets(targets: NDArray[Any]) -> Floats:
    return as_outputs(targets, len(targets), targets.shape[1], "targets")


def build(
    first: int,
    latents: Latents,
    classes: Labels | None,
    targets: Floats | None,
    groups: Labels | None,
    errors: NDArray[Any],
    scales: Scales,
    names: Labels | None,
    bins: ErrorBins,
    options: dict[str, Any],
) -> Shard:
    histogram = count_block(errors, bins)
    check_seen(histogram.n_seen > 0, first)
    densities = TrainingDensities.from_histogram(histogram)
    queries = Queries.of(latents, classes, scales)
    numbers = None if groups is None or names is None else numbers_of(groups, names)
    return Shard.build(first, densities, queries, scales, targets, numbers, **options)


def recall(shard: Shard) -> float:
    return min((part.index.recall for part in shard.strata.values()), default=1.0)


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


def search(shard: Shard, asked: Asked, k: int) -> Nearest:
    return shard.search(asked.queries, k)


def look_up(shard: Shard, own: OwnMeans | None, found: Nearest) -> Holdings:
    return shard.look_up(found.rows, own)


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
