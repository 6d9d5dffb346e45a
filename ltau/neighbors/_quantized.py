"""Search of vectors kept in few bytes each, and of the best of them in full."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau._files.arrays import Arrays
from ltau.neighbors._approximate import CellIndex
from ltau.neighbors._base import Neighbors, Vectors
from ltau.neighbors._flat import exact_search, measure
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._partition import Partition, default_n_cells
from ltau.neighbors._searcher import search_in_threads
from ltau.neighbors._views import fill_lists, inverted_lists

__all__ = ["PQIndex", "SQ8Index", "pq_code_size"]

_N_TRAINING = 1 << 16  # vectors from which the quantiser learns
_CHUNK_ROWS = 1 << 16
_BLOCK_VALUES = 1 << 22  # of candidates' vectors that are read at once
_MAX_CANDIDATES = 128  # for each neighbour
_PQ_BITS = 4


class QuantizedIndex(CellIndex):
    """Candidates from the codes in the nearest cells, measured again by the vectors.

    The codes are in memory; the vectors may lie in a mapped file, of which a search
    reads the candidates' rows.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search.
    partition : Partition
        The cells.
    codebook : ndarray, float32
        What the quantiser learnt.
    codes : ndarray of shape (n, code_size), uint8, C-contiguous
        The quantised vectors by cells.
    """

    def __init__(
        self,
        vectors: Vectors,
        partition: Partition,
        codebook: NDArray[np.float32],
        codes: NDArray[np.uint8],
    ) -> None:
        super().__init__(vectors)
        self.partition = partition
        self.codebook = codebook
        self.codes = codes
        self.n_candidates = 1
        self.searcher = self._searcher()

    @staticmethod
    @abstractmethod
    def _untrained(quantizer: Any, width: int, n_cells: int) -> Any:
        """Make the faiss index that encodes."""

    @staticmethod
    @abstractmethod
    def _codebook_size(width: int) -> int:
        """Give how many numbers the quantiser learns."""

    @staticmethod
    @abstractmethod
    def _code_size(width: int) -> int:
        """Give the bytes of a vector's code."""

    @staticmethod
    @abstractmethod
    def _learnt(index: Any) -> Any:
        """Give the vector of numbers that the quantiser of a faiss index learnt."""

    @abstractmethod
    def _searcher(self) -> Any:
        """Make the faiss index that searches the codes."""

    def _trained(self) -> Any:
        """Make the faiss index that encodes, with what was learnt, and empty."""
        self._quantizer = self.partition.quantizer()
        index = self._untrained(self._quantizer, self.vectors.shape[1], len(self.partition.sizes))
        faiss.copy_array_to_vector(self.codebook, self._learnt(index))
        index.is_trained = True
        index.ntotal = len(self.codes)
        return index

    @classmethod
    def build(cls, vectors: Vectors, random_state: int | None = 0) -> Self:
        """Partition and quantise `vectors`.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_features), float32, C-contiguous
            The vectors to search; read in blocks.
        random_state : int or None, default=0
            Seed of the partition and of the quantiser's sample.

        Returns
        -------
        QuantizedIndex
            The index, with an effort of one cell.
        """
        n, width = vectors.shape
        partition = Partition.build(vectors, default_n_cells(n), random_state)
        quantizer = partition.quantizer()
        encoder = cls._untrained(quantizer, width, len(partition.sizes))
        rng = np.random.default_rng(random_state)
        sample = np.sort(rng.choice(n, min(n, _N_TRAINING), replace=False))
        encoder.train(vectors[np.resize(sample, max(len(sample), 1 << _PQ_BITS))])
        cells = np.repeat(np.arange(len(partition.sizes)), partition.sizes)
        codes = np.empty((n, encoder.code_size), np.uint8)
        for part in batches(n, _CHUNK_ROWS):
            block, cell = vectors[partition.rows[part]], cells[part]
            encoder.encode_vectors(
                len(block), faiss.swig_ptr(block), faiss.swig_ptr(cell), faiss.swig_ptr(codes[part])
            )
        codebook = faiss.vector_to_array(cls._learnt(encoder))
        return cls(vectors, partition, codebook, codes)

    def _search(self, queries: Vectors, k: int) -> Neighbors:
        n_candidates = min(self.n_candidates * k, len(self))
        parts = batches(len(queries), _BLOCK_VALUES // (n_candidates * queries.shape[1]))
        blocks = [self._search_block(queries[part], k, n_candidates) for part in parts]
        distances, indices = zip(*blocks, strict=True)
        return np.concatenate(distances), np.concatenate(indices)

    def _search_block(self, queries: Vectors, k: int, n_candidates: int) -> Neighbors:
        """Search so many queries that all their candidates' vectors fit in memory."""
        _, places = search_in_threads(self.searcher, queries, n_candidates)
        candidates = np.where(places < 0, -1, self.partition.rows[places])
        distances, indices = measure(self.vectors, queries, candidates, k)
        short = (indices < 0).any(axis=1)
        if short.any():
            distances[short], indices[short] = exact_search(self.vectors, queries[short], k)
        return distances, indices

    def tune(self, held_out: HeldOut, recall: float) -> bool:
        self._choose_candidates(held_out, recall)
        while not (reached := super().tune(held_out, recall)):
            if self.n_candidates >= _MAX_CANDIDATES:
                break
            self.n_candidates *= 2
        return reached

    def _choose_candidates(self, held_out: HeldOut, recall: float) -> None:
        """Double the candidates until twice as many gain a small part of what may be missed."""
        self.effort = max(1, self.max_effort // 8)
        before = held_out.recall(self)
        while self.n_candidates < _MAX_CANDIDATES:
            self.n_candidates *= 2
            after = held_out.recall(self)
            if after - before <= (1 - recall) / 4:
                return
            before = after

    @property
    def parameters(self) -> dict[str, int]:
        return {
            "n_cells": self.max_effort,
            "effort": self.effort,
            "n_candidates": self.n_candidates,
        }

    @property
    def nbytes(self) -> int:
        n_places = len(self)  # in faiss
        return self.codes.nbytes + self.codebook.nbytes + self.partition.nbytes + 8 * n_places

    def to_arrays(self) -> Arrays:
        return {
            "vectors": self.vectors,
            **self.partition.to_arrays(),
            "codebook": self.codebook,
            "codes": self.codes,
            "n_candidates": np.array(self.n_candidates),
            "effort": np.array(self.effort),
            "recall": np.array(self.recall),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        vectors, codebook, codes = arrays["vectors"], arrays["codebook"], arrays["codes"]
        partition = Partition.from_arrays(arrays, vectors.shape)
        n_cells = len(partition.sizes)
        width = vectors.shape[1]
        if not (
            codebook.dtype == np.float32
            and codebook.shape == (cls._codebook_size(width),)
            and np.isfinite(codebook).all()
            and codes.dtype == np.uint8
            and codes.shape == (len(vectors), cls._code_size(width))
            and 1 <= arrays["effort"] <= n_cells
            and 1 <= arrays["n_candidates"] <= _MAX_CANDIDATES
        ):
            raise ValueError("The arrays of a quantised index do not fit each other.")
        index = cls(vectors, partition, codebook, codes)
        index.n_candidates = int(arrays["n_candidates"])
        index.effort = int(arrays["effort"])
        index.recall = float(arrays["recall"])
        return index


class SQ8Index(QuantizedIndex):
    """A byte for each feature of the distance from the centre of the cell."""

    kind = "ivf_sq8"

    @staticmethod
    def _untrained(quantizer: Any, width: int, n_cells: int) -> Any:
        return faiss.IndexIVFScalarQuantizer(
            quantizer, width, n_cells, faiss.ScalarQuantizer.QT_8bit
        )

    @staticmethod
    def _learnt(index: Any) -> Any:
        return index.sq.trained

    @staticmethod
    def _codebook_size(width: int) -> int:
        return 2 * width  # the least value and the range of each feature

    @staticmethod
    def _code_size(width: int) -> int:
        return width

    def _searcher(self) -> Any:
        index = self._trained()
        self._lists = inverted_lists(self.codes, self.partition.sizes)
        index.replace_invlists(self._lists, False)
        return index


class PQIndex(QuantizedIndex):
    """Four bits for each pair of features: product quantisation, summed in registers.

    References
    ----------
    Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", *IEEE
    Trans. Pattern Anal. Mach. Intell.* 33 (2011), doi:10.1109/TPAMI.2010.57.

    André, Kermarrec and Le Scouarnec, "Cache locality is not enough: high-performance
    nearest neighbor search with product quantization fast scan", *PVLDB* 9 (2015),
    doi:10.14778/2856318.2856324.
    """

    kind = "ivf_pq"

    @staticmethod
    def _untrained(quantizer: Any, width: int, n_cells: int) -> Any:
        index: Any = faiss.IndexIVFPQ(quantizer, width, n_cells, _n_parts(width), _PQ_BITS)
        index.pq.cp.min_points_per_centroid = 1  # it warns of a sample as small as the set
        return index

    @staticmethod
    def _learnt(index: Any) -> Any:
        return index.pq.centroids

    @staticmethod
    def _codebook_size(width: int) -> int:
        return width << _PQ_BITS

    @staticmethod
    def _code_size(width: int) -> int:
        return pq_code_size(width)

    def _searcher(self) -> Any:
        index = self._trained()
        index.precompute_table()
        fill_lists(index.invlists, self.codes, self.partition.sizes)
        return faiss.IndexIVFPQFastScan(index)  # has the codes once more, as registers take them

    @property
    def nbytes(self) -> int:
        return super().nbytes + self.codes.nbytes


def pq_code_size(width: int) -> int:
    """Give the bytes of a vector's code."""
    return -(-_n_parts(width) * _PQ_BITS // 8)


def _n_parts(width: int) -> int:
    """Give the number of parts of a vector that are quantised apart."""
    return width // 2 if width % 2 == 0 else width
