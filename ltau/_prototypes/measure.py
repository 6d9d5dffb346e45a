"""How far training samples lie from the prototypes that stand for them.

A prototype's own distance is the mean of its members', each measured as a new sample would be:
with itself left out of its prototype, or, where there are groups, with its group left out of all.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.members import Members
from ltau._fitted.own_distances import OwnDistances
from ltau._fitted.samples import TrainingSamples
from ltau._maths.domain import local_ratio
from ltau._prototypes.leaving_out import (
    Families,
    nearest_without_itself,
    targets_without_itself,
)
from ltau.neighbors import LatentIndex, Neighbors, Stratum

__all__ = ["measure_members"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_BATCH_VALUES = 1 << 22  # in the largest temporary of the members' search


def measure_members(
    index: LatentIndex,
    samples: TrainingSamples,
    owners: Ints,
    n_neighbors: int,
    ranked: Ints,
    targets: Floats | None = None,
) -> tuple[OwnDistances, Members]:
    """Measure how far samples lie from the prototypes nearest to them.

    Parameters
    ----------
    index : LatentIndex
        The prototypes.
    samples : TrainingSamples
        The training samples.
    owners : ndarray of shape (n_samples,), intp
        The prototype of each sample.
    n_neighbors : int
        Number of neighbours.
    ranked : ndarray of shape (n_ranked,), intp
        Samples whose `ood_score` is kept, ascending.
    targets : ndarray of shape (n_prototypes, n_outputs), float64, optional
        The prototypes' targets.

    Returns
    -------
    own : OwnDistances
        Mean distance of each prototype's members to their neighbours, and of their targets.
    members : Members
        What is kept of the samples.
    """
    sizes = np.bincount(owners)
    total, apart = np.zeros(len(sizes)), np.zeros(len(sizes))
    distances = np.full((len(ranked), n_neighbors), np.inf)
    prototypes = np.zeros((len(ranked), n_neighbors), np.intp)
    for stratum in index.strata:
        families = _families(stratum, samples, owners)
        for rows, (near, nearest) in _search(
            stratum, samples, families, owners, sizes, n_neighbors
        ):
            total += np.bincount(owners[rows], _means(near), len(sizes))
            if targets is not None and samples.targets is not None:
                own = samples.targets[rows]
                if families is None or samples.groups is None:
                    known = targets_without_itself(own, owners[rows], nearest, targets, sizes)
                else:
                    groups = samples.groups[rows]
                    known = families.targets_without(groups, nearest, targets, sizes)
                there = np.isfinite(near)[:, :, None]
                theirs = np.where(there, known, 0.0).sum(axis=1) / there.sum(axis=1)
                apart += np.bincount(owners[rows], np.linalg.norm(own - theirs, axis=1), len(sizes))
            _, here, there = np.intersect1d(rows, ranked, assume_unique=True, return_indices=True)
            width = near.shape[1]
            distances[there, :width], prototypes[there, :width] = near[here], nearest[here]
    disagreements = None if targets is None else apart / sizes
    own_distances = OwnDistances.with_floors(index, n_neighbors, total / sizes, disagreements)
    scores = _scores(distances, own_distances.values[prototypes])
    return own_distances, Members(len(owners), np.sort(scores.astype(np.float32)))


def _families(stratum: Stratum, samples: TrainingSamples, owners: Ints) -> Families | None:
    """Gather the members that groups have in the prototypes of a stratum; None without groups."""
    if samples.groups is None:
        return None
    members = np.flatnonzero(np.isin(owners, stratum.rows))
    targets = None if samples.targets is None else samples.targets[members]
    of_members = samples.latents[members], owners[members], samples.groups[members]
    return Families.of(stratum, *of_members, targets)


def _search(
    stratum: Stratum,
    samples: TrainingSamples,
    families: Families | None,
    owners: Ints,
    sizes: Ints,
    k: int,
) -> Iterator[tuple[Ints, Neighbors]]:
    """Find the prototypes nearest to each sample of a stratum, without itself, in batches."""
    members = np.flatnonzero(np.isin(owners, stratum.rows))
    width = min(k + (1 if families is None else families.most), len(stratum.rows))
    size = max(1, _BATCH_VALUES // (samples.latents.shape[1] * width))
    for start in range(0, len(members), size):
        rows = members[start : start + size]
        found = stratum.nearest(samples.latents[rows], width)
        if families is None or samples.groups is None:
            yield rows, nearest_without_itself(*found, owners[rows], sizes, k)
        else:
            scaled = stratum.scaler.transform(samples.latents[rows])
            groups = samples.groups[rows]
            yield rows, families.nearest_without(scaled, groups, found, stratum, sizes, k)


def _scores(distances: Floats, own_distances: Floats) -> Floats:
    """Compare the distances of samples to prototypes with those of their members."""
    there = np.isfinite(distances)
    distance = np.where(there, distances, 0.0).sum(axis=1)
    reference = np.where(there, own_distances, 0.0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores: Floats = local_ratio(np, distance, reference)
    return scores


def _means(distances: Floats) -> Floats:
    """Mean of the finite distances in each row."""
    finite = np.isfinite(distances)
    return np.where(finite, distances, 0.0).sum(axis=1) / finite.sum(axis=1)
