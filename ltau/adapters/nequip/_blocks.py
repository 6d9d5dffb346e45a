"""Samples in blocks of one size, near ones together: a search that can be compiled."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ltau._prototypes.clusters import cluster, rows_by_cluster
from ltau.neighbors import FlatIndex

__all__ = ["NOWHERE", "SIZE", "Blocks"]

SIZE = 64  # samples in a block
_FILLED = 0.75  # of a block, about: clusters have no common size
_FAR = np.float32(1e18)  # where there is no vector: farther than any, and its square is finite
NOWHERE = 1e17  # distance beyond which there is no vector
_N_DRAWN = 1000  # vectors, on which recall is measured


class Blocks(NamedTuple):
    """Vectors in blocks of `SIZE`, of which the last places may be empty.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32
        The vectors.
    rows : ndarray of shape (n_blocks, SIZE), intp
        Their numbers; -1 where there is none.
    centres : ndarray of shape (n_blocks, n_features), float32
        Mean of each block.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.intp]
    centres: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Self:
        """Put vectors into blocks, clusters that are larger than one into several."""
        n_clusters = max(1, round(len(vectors) / (_FILLED * SIZE)))
        labels = cluster(vectors, n_clusters, np.random.default_rng(0))  # the same each time
        blocks = [
            block
            for rows in rows_by_cluster(labels)
            for block in np.array_split(rows, -(-len(rows) // SIZE))
        ]
        rows = np.full((len(blocks), SIZE), -1)
        for number, block in enumerate(blocks):
            rows[number, : len(block)] = block
        return cls(vectors, rows, np.stack([vectors[block].mean(axis=0) for block in blocks]))

    def filled(self) -> NDArray[np.float32]:
        """Give the vectors block by block, shape (n_blocks, SIZE, n_features)."""
        return np.where(self.rows[:, :, None] < 0, _FAR, self.vectors[self.rows])

    def n_to_visit(self, k: int, recall: float) -> int:
        """Find how many blocks, those of the nearest centres, have the neighbours asked for.

        Measured on up to 1,000 of the vectors, each held out of its own search.

        Parameters
        ----------
        k : int
            Number of neighbours.
        recall : float
            Share of the true neighbours to find.

        Returns
        -------
        int
            The number, of which any such blocks hold `k` vectors at least.
        """
        if len(self.rows) == 1:
            return 1
        n = len(self.vectors)
        drawn = np.random.default_rng(0).permutation(n)[:_N_DRAWN]
        _, neighbors = FlatIndex(self.vectors).search_others(drawn, min(k, n - 1))
        filled = self.rows >= 0
        block_of = np.empty(n, np.intp)
        block_of[self.rows[filled]] = np.nonzero(filled)[0]
        to_centres = cdist(self.vectors[drawn], self.centres)
        nearness = to_centres.argsort(axis=1).argsort(axis=1)
        visits = 1 + np.take_along_axis(nearness, block_of[neighbors], axis=1)
        to_find = np.quantile(visits, recall, method="higher")
        to_have_k = 1 + np.searchsorted(np.sort(filled.sum(axis=1)).cumsum(), k)
        return min(int(max(to_find, to_have_k)), len(self.rows))
