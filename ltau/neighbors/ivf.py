"""Approximate search in the nearest cells of a k-means partition (inverted file)."""

from __future__ import annotations

from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._arrays import Arrays
from ltau.neighbors.approximate import ApproximateIndex
from ltau.neighbors.base import Vectors

__all__ = ["IVFIndex"]

_MIN_VECTORS_PER_CELL = 39  # what faiss asks of a training set
_TRAINING_VECTORS_PER_CELL = 64


class IVFIndex(ApproximateIndex):
    """Search in the `effort` cells nearest to the query.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search.
    centroids : ndarray of shape (n_cells, n_features), float32
        Centres of the cells.
    cells : ndarray of shape (n,), int64
        The cell of each vector.
    """

    kind = "ivf"

    def __init__(self, vectors: Vectors, centroids: Vectors, cells: NDArray[np.int64]) -> None:
        super().__init__(vectors)
        self.centroids = centroids
        self.cells = cells
        quantizer = faiss.IndexFlatL2(vectors.shape[1])
        quantizer.add(centroids)
        self._faiss = faiss.IndexIVFFlat(quantizer, vectors.shape[1], len(centroids))
        self._faiss.is_trained = True
        # Added by their cells, as stored: assigning them anew might round differently.
        n, swig = len(vectors), faiss.swig_ptr
        self._faiss.add_core(n, swig(vectors), None, swig(cells), None)

    @classmethod
    def build(cls, vectors: Vectors, random_state: int | None = None) -> Self:
        """Partition `vectors` by k-means on a random sample of them.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_features), float32, C-contiguous
            The vectors to search.
        random_state : int or None, default=None
            Seed of the sample and of k-means.

        Returns
        -------
        IVFIndex
            About ``2 * sqrt(n)`` cells, and an effort of one cell.
        """
        n = len(vectors)
        rng = np.random.default_rng(random_state)
        n_cells = max(1, min(round(2 * n**0.5), n // _MIN_VECTORS_PER_CELL))
        n_training = min(n, n_cells * _TRAINING_VECTORS_PER_CELL)
        sample = vectors[rng.choice(n, size=n_training, replace=False)]
        kmeans = faiss.Kmeans(
            vectors.shape[1], n_cells, seed=int(rng.integers(2**31)), min_points_per_centroid=1
        )
        kmeans.train(sample)
        _, cells = kmeans.index.search(vectors, 1)
        return cls(vectors, np.asarray(kmeans.centroids), cells.ravel())

    @property
    def effort(self) -> int:
        """Number of cells searched."""
        return int(self._faiss.nprobe)

    @effort.setter
    def effort(self, value: int) -> None:
        self._faiss.nprobe = value

    @property
    def max_effort(self) -> int:
        """Number of cells."""
        return len(self.centroids)

    def to_arrays(self) -> Arrays:  # noqa: D102
        return {
            "vectors": self.vectors,
            "centroids": self.centroids,
            "cells": self.cells,
            "effort": np.array(self.effort),
            "recall": np.array(self.recall),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:  # noqa: D102
        vectors, centroids, cells = arrays["vectors"], arrays["centroids"], arrays["cells"]
        if not (
            vectors.dtype == centroids.dtype == np.float32
            and centroids.ndim == 2
            and len(centroids)
            and np.isfinite(centroids).all()
            and centroids.shape[1] == vectors.shape[1]
            and cells.dtype == np.int64
            and cells.shape == (len(vectors),)
            and cells.min() >= 0
            and cells.max() < len(centroids)
            and 1 <= arrays["effort"] <= len(centroids)
        ):
            raise ValueError("The arrays of an IVF index do not fit each other.")
        index = cls(vectors, centroids, cells)
        index.effort = int(arrays["effort"])
        index.recall = float(arrays["recall"])
        return index
