"""A partition of vectors into the cells of k-means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau._files.arrays import Arrays
from ltau.neighbors._base import Vectors

__all__ = ["Partition", "default_n_cells", "max_n_cells"]

_MIN_VECTORS_PER_CELL = 39  # what faiss asks of a training set
_TRAINING_VECTORS_PER_CELL = 64
_N_ITERATIONS = 5  # more take as much longer, and a search compares 2 % fewer vectors
_LEAST_VECTORS_PER_CELL = 24  # in a file, of which faiss makes a few hundred bytes a cell
_COLUMNS = 8  # that are moved at once


def max_n_cells(n: int) -> int:
    """Give the number of cells beyond which they hold too few of `n` vectors."""
    return max(1, n // _MIN_VECTORS_PER_CELL)


def default_n_cells(n: int) -> int:
    """Give the number of cells that serves most sets of `n` vectors, ``2 * sqrt(n)``."""
    return min(round(2 * n**0.5), max_n_cells(n))


@dataclass(frozen=True)
class Partition:
    """Vectors by cells: whatever is stored for each is stored one cell after the other.

    Parameters
    ----------
    centroids : ndarray of shape (n_cells, n_features), float32
        Centres of the cells.
    rows : ndarray of shape (n,), int64
        The vectors' numbers, those of the first cell first.
    sizes : ndarray of shape (n_cells,), int64
        Number of vectors in each cell.
    """

    centroids: Vectors
    rows: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def build(cls, vectors: Vectors, n_cells: int, random_state: int | None = 0) -> Self:
        """Partition `vectors` by k-means on a random sample of them.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_features), float32, C-contiguous
            The vectors.
        n_cells : int
            Number of cells, at most that of the vectors.
        random_state : int or None, default=0
            Seed of the sample and of k-means.

        Returns
        -------
        Partition
            The partition.
        """
        n, width = vectors.shape
        rng = np.random.default_rng(random_state)
        n_training = min(n, n_cells * _TRAINING_VECTORS_PER_CELL)
        kmeans = faiss.Kmeans(
            width,
            n_cells,
            niter=_N_ITERATIONS,
            seed=int(rng.integers(2**31)),
            min_points_per_centroid=1,
        )
        kmeans.train(vectors[np.sort(rng.choice(n, size=n_training, replace=False))])
        cells = kmeans.index.search(vectors, 1)[1].ravel()
        rows = np.argsort(cells, kind="stable")
        return cls(np.asarray(kmeans.centroids), rows, np.bincount(cells, minlength=n_cells))

    def sort(self, vectors: Vectors) -> None:
        """Put the partitioned vectors, in place, into the order of the cells."""
        _take_in_place(vectors, self.rows)

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """The cell of each of the vectors sorted by cells, shape (n,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Where each vector lies among those sorted by cells, shape (n,)."""
        places = np.empty_like(self.rows)
        places[self.rows] = np.arange(len(places))
        return places

    @property
    def nbytes(self) -> int:
        """Memory of the partition."""
        return self.centroids.nbytes + self.rows.nbytes + self.sizes.nbytes

    def quantizer(self) -> faiss.IndexFlatL2:
        """Make the index that finds the cells nearest to a query."""
        quantizer = faiss.IndexFlatL2(self.centroids.shape[1])
        quantizer.add(self.centroids)
        return quantizer

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this partition again."""
        return {"centroids": self.centroids, "rows": self.rows, "sizes": self.sizes}

    @classmethod
    def from_arrays(cls, arrays: Arrays, shape: tuple[int, ...]) -> Self:
        """Make the partition of vectors of a shape; ValueError where the arrays do not fit it."""
        centroids, rows, sizes = (arrays[name] for name in ("centroids", "rows", "sizes"))
        n, width = shape
        if not (
            centroids.dtype == np.float32
            and centroids.ndim == 2
            and 1 <= len(centroids) <= max(1, n // _LEAST_VECTORS_PER_CELL)
            and centroids.shape[1] == width
            and np.isfinite(centroids).all()
            and rows.dtype == sizes.dtype == np.int64
            and rows.shape == (n,)
            and sizes.shape == (len(centroids),)
            and ((sizes >= 0) & (sizes <= n)).all()
            and sizes.sum() == n
            and _is_permutation(rows)
        ):
            raise ValueError("The arrays of a partition do not fit each other.")
        return cls(centroids, rows, sizes)


def _take_in_place(vectors: Vectors, rows: NDArray[np.int64]) -> None:
    """Reorder the rows of an array with the memory of a few of its columns."""
    for columns in batches(vectors.shape[1], _COLUMNS):
        vectors[:, columns] = vectors[rows, columns]


def _is_permutation(rows: NDArray[np.int64]) -> bool:
    seen = np.zeros(len(rows), bool)
    if rows.min() < 0 or rows.max() >= len(rows):
        return False
    seen[rows] = True
    return bool(seen.all())
