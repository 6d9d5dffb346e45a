"""Scalings of the strata, learnt from blocks of latents on the workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dask import delayed
from dask.delayed import Delayed
from distributed import Client
from numpy.typing import NDArray

from ltau._labels import check_size
from ltau.adapters.dask._cluster import gather
from ltau.adapters.dask._shard import Labels, rows_by_stratum
from ltau.neighbors import LatentScaler, Vectors, scatter

__all__ = ["learn_scalers"]

Floats = NDArray[np.float64]


def learn_scalers(
    blocks: list[tuple[Delayed, Delayed]], scaling: str, n_neighbors: int, client: Client
) -> dict[Any, LatentScaler]:
    """Learn the scaling of each stratum from sums over all blocks.

    Sums are added block by block. A sum over all rows at once is rounded otherwise, so
    that a scaling differs from `LatentScaler.fit` in the last digits of float64.

    Parameters
    ----------
    blocks : list of (latents, classes)
        The training samples; classes are None where there are no strata.
    scaling : {"none", "standardize", "whiten"}
        As in `LatentScaler.fit`.
    n_neighbors : int
        Samples that each stratum must have.
    client : distributed.Client
        Client of the cluster.

    Returns
    -------
    dict of label to LatentScaler
        The scalings, sorted by label.

    Raises
    ------
    ValueError
        If a stratum has fewer than `n_neighbors` samples.
    """
    sizes_and_sums = gather(client, [delayed(_sums)(*block) for block in blocks])
    labels = sorted({label for sums in sizes_and_sums for label in sums})
    sizes, means = {}, {}
    for label in labels:
        parts = [sums[label] for sums in sizes_and_sums if label in sums]
        sizes[label] = sum(size for size, _ in parts)
        check_size(sizes[label], n_neighbors, label)
        means[label] = sum(total for _, total in parts) / sizes[label]
    if scaling == "none":
        return {label: LatentScaler(means[label], None) for label in labels}
    scatters = gather(client, [delayed(_scatters)(*block, means) for block in blocks])
    covariances = {
        label: sum(part[label] for part in scatters if label in part) / sizes[label]
        for label in labels
    }
    return {
        label: LatentScaler.from_moments(means[label], covariances[label], scaling)
        for label in labels
    }


def _sums(latents: Vectors, classes: Labels | None) -> dict[Any, tuple[int, Floats]]:
    known = () if classes is None else np.unique(classes).tolist()
    return {
        label: (len(rows), latents[rows].sum(axis=0, dtype=np.float64))
        for label, rows in rows_by_stratum(classes, len(latents), known).items()
    }


def _scatters(
    latents: Vectors, classes: Labels | None, means: Mapping[Any, Floats]
) -> dict[Any, Floats]:
    return {
        label: scatter(latents[rows], means[label])
        for label, rows in rows_by_stratum(classes, len(latents), means).items()
    }
