"""Scalings of the strata, learnt from blocks of latents on the workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from dask import delayed
from dask.delayed import Delayed
from distributed import Client
from numpy.typing import DTypeLike, NDArray

from ltau._inputs.labels import check_size
from ltau.adapters.dask._cluster import gather
from ltau.adapters.dask._shard import Labels, StratumScale, rows_by_stratum
from ltau.neighbors import (
    Latents,
    LatentScaler,
    extremes,
    log_lengths,
    rounding_floor,
    scatter,
    unit_of,
    usual_length,
)

__all__ = ["learn_scales"]

Floats = NDArray[np.float64]


class _Sums(NamedTuple):
    """What a block tells of a stratum before its mean is known."""

    n: int
    total: Floats
    low: Floats
    high: Floats


class _Centre(NamedTuple):
    """Where the latents of a stratum lie, and what they are measured in."""

    mean: Floats
    unit: float


def learn_scales(
    blocks: list[tuple[Delayed, Delayed]],
    scaling: str,
    n_neighbors: int,
    dtype: DTypeLike,
    client: Client,
) -> dict[Any, StratumScale]:
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
    dtype : dtype
        Type of the latents.
    client : distributed.Client
        Client of the cluster.

    Returns
    -------
    dict of label to StratumScale
        The scalings, sorted by label.

    Raises
    ------
    ValueError
        If a stratum has fewer than `n_neighbors` samples.
    """
    of_blocks = gather(client, [delayed(_sums)(*block) for block in blocks])
    labels = sorted({label for sums in of_blocks for label in sums})
    sizes, centres = {}, {}
    for label in labels:
        parts = [sums[label] for sums in of_blocks if label in sums]
        sizes[label] = sum(part.n for part in parts)
        check_size(sizes[label], n_neighbors, label)
        low = np.min([part.low for part in parts], axis=0)
        high = np.max([part.high for part in parts], axis=0)
        mean = sum(part.total for part in parts) / sizes[label]
        centres[label] = _Centre(mean, unit_of(low, high))
    scatters = gather(client, [delayed(_scatters)(*block, centres) for block in blocks])
    scalers, magnitudes = {}, {}
    for label, (mean, unit) in centres.items():
        covariance = sum(part[label] for part in scatters if label in part) / sizes[label]
        scalers[label] = LatentScaler.from_moments(
            mean, covariance, scaling, unit=unit, dtype=dtype
        )
        magnitudes[label] = np.sqrt(mean**2 + unit**2 * np.diag(covariance))
    lengths = gather(client, [delayed(_log_lengths)(*block, scalers) for block in blocks])
    scales = {}
    for label, scaler in scalers.items():
        totals, counts = zip(*(part[label] for part in lengths if label in part), strict=True)
        spread = usual_length(sum(totals), sum(counts))
        floor = rounding_floor(scaler, magnitudes[label], spread, dtype)
        scales[label] = StratumScale(scaler, floor, sizes[label])
    return scales


def _sums(latents: Latents, classes: Labels | None) -> dict[Any, _Sums]:
    known = () if classes is None else np.unique(classes).tolist()
    return {
        label: _Sums(
            len(rows), latents[rows].sum(axis=0, dtype=np.float64), *extremes(latents[rows])
        )
        for label, rows in rows_by_stratum(classes, len(latents), known).items()
    }


def _scatters(
    latents: Latents, classes: Labels | None, centres: Mapping[Any, _Centre]
) -> dict[Any, Floats]:
    return {
        label: scatter(latents[rows], *centres[label])
        for label, rows in rows_by_stratum(classes, len(latents), centres).items()
    }


def _log_lengths(
    latents: Latents, classes: Labels | None, scalers: Mapping[Any, LatentScaler]
) -> dict[Any, tuple[float, int]]:
    return {
        label: log_lengths(scalers[label].transform(latents[rows]))
        for label, rows in rows_by_stratum(classes, len(latents), scalers).items()
    }
