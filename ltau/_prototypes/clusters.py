"""Clusters of vectors by k-means: what prototypes are made of."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau.neighbors import Vectors

__all__ = ["centres", "cluster", "rows_by_cluster", "share"]

_AT_ONCE = 1024  # clusters; more are made within coarser ones, each vector compared with fewer
_ITERATIONS = 5  # more make clusters less than 1 % tighter
_POINTS_PER_CLUSTER = 64  # that k-means learns from


def cluster(vectors: Vectors, n_clusters: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Put each vector in a cluster, by k-means.

    Many clusters are made in two steps, about the square root of their number in the
    first and shares of each of those in the second: the time then grows with the square
    root of the number.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors, finite.
    n_clusters : int
        Number of clusters, from 1 to the number of vectors. There may be fewer where
        vectors are equal; as many clusters as vectors are one for each.
    rng : numpy.random.Generator
        Where k-means starts, and what it learns from.

    Returns
    -------
    ndarray of shape (n,), intp
        Cluster of each vector, from 0; none is empty.

    References
    ----------
    Lloyd, *IEEE Trans. Inf. Theory* 28 (1982) 129, doi:10.1109/TIT.1982.1056489; as in
    faiss: Johnson, Douze and Jégou, *IEEE Trans. Big Data* 7 (2021) 535,
    doi:10.1109/TBDATA.2019.2921572.
    """
    if n_clusters <= _AT_ONCE or n_clusters == len(vectors):
        return _kmeans(vectors, n_clusters, rng)
    coarse = _kmeans(vectors, round(n_clusters**0.5), rng)
    labels = np.empty(len(vectors), np.intp)
    n_made = 0
    shares = share(n_clusters, np.bincount(coarse), least=1)
    for rows, n in zip(rows_by_cluster(coarse), shares, strict=True):
        labels[rows] = n_made + _kmeans(vectors[rows], n, rng)
        n_made = labels[rows].max() + 1
    return labels


def centres(vectors: Vectors, labels: NDArray[np.intp]) -> Vectors:
    """Find the mean of each cluster.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32
        The vectors.
    labels : ndarray of shape (n,), intp
        Cluster of each, as `cluster` gives them.

    Returns
    -------
    ndarray of shape (n_clusters, n_features), float32, C-contiguous
        The means.
    """
    sizes = np.bincount(labels)
    means = np.empty((len(sizes), vectors.shape[1]), np.float32)
    for feature, values in enumerate(vectors.T):
        means[:, feature] = np.bincount(labels, values) / sizes
    return means


def share(total: int, sizes: Sequence[int] | NDArray[np.intp], least: int) -> list[int]:
    """Share a number out over groups: to each the least, the rest by what they have beyond it.

    Parameters
    ----------
    total : int
        What is shared, from ``least`` for each group to the sum of the sizes.
    sizes : sequence of int
        Size of each group, which it gets at most.
    least : int
        What each group gets at least, no more than the smallest size.

    Returns
    -------
    list of int
        The shares, which sum to `total`.
    """
    beyond = np.asarray(sizes) - least
    rest = total - least * len(beyond)
    exact = rest * beyond / max(1, beyond.sum())
    shares = np.floor(exact).astype(np.intp)
    largest_remainders = np.argsort(shares - exact, kind="stable")[: rest - shares.sum()]
    shares[largest_remainders] += 1
    return (least + shares).tolist()


def _kmeans(vectors: Vectors, n_clusters: int, rng: np.random.Generator) -> NDArray[np.intp]:
    if n_clusters == len(vectors):
        return np.arange(n_clusters)
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        n_clusters,
        niter=_ITERATIONS,
        seed=int(rng.integers(2**31)),
        min_points_per_centroid=1,
        max_points_per_centroid=_POINTS_PER_CLUSTER,
    )
    kmeans.train(vectors)
    _, nearest = kmeans.index.search(vectors, 1)
    _, labels = np.unique(nearest, return_inverse=True)  # equal vectors leave clusters empty
    return labels.ravel()


def rows_by_cluster(labels: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Give the rows of each cluster, ascending.

    Parameters
    ----------
    labels : ndarray of shape (n,), intp
        Cluster of each row, as `cluster` gives them.

    Returns
    -------
    list of ndarray, intp
        The rows, cluster by cluster.
    """
    return np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
