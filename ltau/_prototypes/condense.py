"""Prototypes: the training set condensed to fewer samples that stand for many.

A prototype lies at the mean of its members in the scaled latent space. It has all their
errors, and as its own distance the mean of theirs, each member measured as a new sample
would be: with itself left out of its prototype.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.members import Members
from ltau._fitted.own_distances import OwnDistances
from ltau._inputs.labels import check_size
from ltau._maths.domain import local_ratio
from ltau._prototypes.clusters import centres, cluster, share
from ltau.neighbors import LatentIndex, Neighbors, ScaledStratum, Vectors, merge_coincident

__all__ = ["condense", "measure_members"]

Floats = NDArray[np.float64]

_BATCH_VALUES = 1 << 22  # in the largest temporary of the members' search


def condense(
    strata: list[ScaledStratum], n_prototypes: int, n_neighbors: int, random_state: int | None
) -> tuple[list[ScaledStratum], NDArray[np.intp]]:
    """Make prototypes of the samples of each stratum, by k-means.

    Parameters
    ----------
    strata : list of ScaledStratum
        The training samples.
    n_prototypes : int
        Number of prototypes. Each stratum has `n_neighbors`, and of the rest a share by
        its samples; there may be fewer where samples are equal.
    n_neighbors : int
        The least number in each stratum.
    random_state : int or None
        Seed of k-means.

    Returns
    -------
    prototypes : list of ScaledStratum
        The prototypes of each stratum, numbered throughout.
    owners : ndarray of shape (n_samples,), intp
        The prototype of each sample.

    Raises
    ------
    ValueError
        If there are fewer samples than prototypes, or fewer prototypes than neighbours in
        each stratum, or a stratum has a single sample.
    """
    sizes = [len(stratum.rows) for stratum in strata]
    _check_number(n_prototypes, n_neighbors, sizes, [stratum.label for stratum in strata])
    rng = np.random.default_rng(random_state)
    prototypes, n_made = [], 0
    owners = np.empty(sum(sizes), np.intp)
    for stratum, n in zip(strata, share(n_prototypes, sizes, n_neighbors), strict=True):
        labels = cluster(stratum.vectors, n, rng)
        vectors = centres(stratum.vectors, labels)
        owners[stratum.rows] = n_made + labels
        rows = np.arange(n_made, n_made + len(vectors))
        prototypes.append(replace(stratum, rows=rows, vectors=vectors))
        n_made += len(vectors)
    return _distinct(prototypes, owners, n_neighbors)


def _distinct(
    prototypes: list[ScaledStratum], owners: NDArray[np.intp], n_neighbors: int
) -> tuple[list[ScaledStratum], NDArray[np.intp]]:
    """Make prototypes that coincide one: where many are asked for, equal samples are many."""
    distinct, kept = merge_coincident(prototypes)
    for stratum in distinct:
        check_size(len(stratum.rows), n_neighbors, stratum.label, "training samples that differ")
    sized = [replace(stratum, n_samples=len(stratum.rows)) for stratum in distinct]
    return sized, owners if kept is None else kept[owners]


def _check_number(
    n_prototypes: int, n_neighbors: int, sizes: list[int], labels: list[object]
) -> None:
    for size, label in zip(sizes, labels, strict=True):
        check_size(size, n_neighbors, label)
        if size == 1:
            where = "" if label is None else f" in stratum {label}"
            raise ValueError(
                f"Expected at least 2 training samples{where} to make prototypes of, "
                "got n_samples = 1."
            )
    if not n_neighbors * len(sizes) <= n_prototypes <= sum(sizes):
        raise ValueError(
            f"Expected n_prototypes from {n_neighbors * len(sizes)} (n_neighbors = {n_neighbors} "
            f"in each stratum) to n_samples = {sum(sizes)}, got {n_prototypes}."
        )


def measure_members(
    index: LatentIndex,
    latents: Vectors,
    strata: NDArray[np.generic] | None,
    owners: NDArray[np.intp],
    n_neighbors: int,
    ranked: NDArray[np.intp],
) -> tuple[OwnDistances, Members]:
    """Measure how far samples lie from the prototypes nearest to them.

    Parameters
    ----------
    index : LatentIndex
        The prototypes.
    latents : ndarray of shape (n_samples, n_features), float32
        The training latents.
    strata : ndarray of shape (n_samples,) or None
        Class of each sample.
    owners : ndarray of shape (n_samples,), intp
        The prototype of each sample.
    n_neighbors : int
        Number of neighbours.
    ranked : ndarray of shape (n_ranked,), intp
        Samples whose `ood_score` is kept, ascending.

    Returns
    -------
    own : OwnDistances
        Mean distance of each prototype's members to their neighbours.
    members : Members
        What is kept of the samples.
    """
    sizes = np.bincount(owners)
    total = np.zeros(len(sizes))
    distances = np.empty((len(ranked), n_neighbors))
    prototypes = np.empty((len(ranked), n_neighbors), np.intp)
    for rows, found in _search(index, latents, strata, n_neighbors + 1):
        near, nearest = _leave_out(*found, owners[rows], sizes, n_neighbors)
        total += np.bincount(owners[rows], _means(near), len(sizes))
        _, here, there = np.intersect1d(rows, ranked, assume_unique=True, return_indices=True)
        distances[there], prototypes[there] = near[here], nearest[here]
    own = OwnDistances.with_floors(index, n_neighbors, total / sizes)
    scores = _scores(distances, own.values[prototypes])
    return own, Members(len(latents), np.sort(scores.astype(np.float32)))


def _scores(distances: Floats, own_distances: Floats) -> Floats:
    """Compare the distances of samples to prototypes with those of their members."""
    there = np.isfinite(distances)
    distance = np.where(there, distances, 0.0).sum(axis=1)
    reference = np.where(there, own_distances, 0.0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores: Floats = local_ratio(np, distance, reference)
    return scores


def _search(
    index: LatentIndex, latents: Vectors, strata: NDArray[np.generic] | None, k: int
) -> Iterator[tuple[NDArray[np.intp], Neighbors]]:
    """Find the `k` prototypes nearest to each sample, or all of its stratum, in batches."""
    size = max(1, _BATCH_VALUES // (latents.shape[1] * k))
    labels = [None] if index.classes is None else index.classes
    for label, n_prototypes in zip(labels, index.sizes, strict=True):
        members = np.arange(len(latents)) if label is None else np.flatnonzero(strata == label)
        for start in range(0, len(members), size):
            rows = members[start : start + size]
            asked = None if strata is None else strata[rows]
            found = index.search(latents[rows], min(k, n_prototypes), asked)
            yield rows, (found.distances, found.numbers)


def _leave_out(
    distances: Floats,
    prototypes: NDArray[np.intp],
    owners: NDArray[np.intp],
    sizes: NDArray[np.intp],
    k: int,
) -> Neighbors:
    """Leave samples out of their prototypes, and take the `k` that are nearest then.

    Without a member at distance d the mean of the other m - 1 lies m / (m - 1) as far from
    it. The prototype of a sample alone is gone: infinitely far, if it is among the `k`.
    """
    others = (sizes[owners] - 1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.where(others > 0, distances * (others + 1) / others, np.inf)
    distances = np.where(prototypes == owners[:, None], without, distances)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(distances, nearest, axis=1),
        np.take_along_axis(prototypes, nearest, axis=1),
    )


def _means(distances: Floats) -> Floats:
    """Mean of the finite distances in each row."""
    finite = np.isfinite(distances)
    return np.where(finite, distances, 0.0).sum(axis=1) / finite.sum(axis=1)
