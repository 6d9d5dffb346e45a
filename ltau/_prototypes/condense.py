"""Prototypes: the training set condensed to fewer samples that stand for many.

A prototype lies at the mean of its members in the scaled latent space, and has all their errors.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ltau._inputs.labels import check_size
from ltau._prototypes.clusters import centres, cluster, share
from ltau.neighbors import ScaledStratum, merge_coincident

__all__ = ["condense"]


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
