"""Approximate search along a graph of near neighbours (hierarchical navigable small worlds)."""

from __future__ import annotations

from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau._files.arrays import Arrays
from ltau.neighbors._approximate import ApproximateIndex
from ltau.neighbors._base import Neighbors, Vectors
from ltau.neighbors._flat import found_or_searched
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._searcher import search_in_threads
from ltau.neighbors._threads import n_threads
from ltau.neighbors._views import view

__all__ = ["HNSWIndex"]

_N_LINKS = 32  # of each vector, on each level; twice as many on the lowest
_PART = 10_000  # vectors of the graph that is asked for others
_CHUNK_ROWS = 1 << 14
_N_NEW = 1000  # vectors that it is asked for
# Whether faiss builds the same graph with any number of threads.
_SAME_GRAPH = hasattr(faiss, "hnsw_add_vertices_deterministic")


class HNSWIndex(ApproximateIndex):
    """Search that keeps the best `effort` vectors met on its way through the graph.

    Slower to build than a partition, faster to search at high recall. Two builds give the
    same graph, whatever the number of threads; before version 1.15 faiss does so with one
    thread only, and gets no other here.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search.
    """

    kind = "hnsw"

    def __init__(self, vectors: Vectors) -> None:
        super().__init__(vectors)
        self.searcher: Any = faiss.IndexHNSWFlat(vectors.shape[1], _N_LINKS)

    @classmethod
    def build(cls, vectors: Vectors, random_state: int | None = 0) -> Self:
        """Build the graph over `vectors`.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_features), float32, C-contiguous
            The vectors to search.
        random_state : int or None, default=0
            Of no use: faiss seeds the graph itself.

        Returns
        -------
        HNSWIndex
            The index.
        """
        index = cls(vectors)
        with n_threads(None if _SAME_GRAPH else 1):
            index.searcher.add(vectors)
        index._show_vectors()
        return index

    def _show_vectors(self) -> None:
        """Let faiss read the vectors where they lie, instead of a copy."""
        storage: Any = faiss.downcast_index(self.searcher.storage)
        storage.codes = view(self.vectors)
        storage.ntotal = self.searcher.ntotal = len(self)

    def tune(self, held_out: HeldOut, recall: float) -> bool:
        """Find the least effort that reaches a recall for vectors that are not in the graph.

        Its own are found more easily, because links lead to them. So many times as fewer
        neighbours may be missed of them as a graph of a part of the vectors misses of the
        others more than of its own.

        Parameters
        ----------
        held_out, recall
            As for any approximate index.

        Returns
        -------
        bool
            Whether the recall was reached; `recall` says what was, of new vectors.
        """
        times = _times_missed(self.vectors, held_out.k, recall)
        reached = super().tune(held_out, 1.0 - (1.0 - recall) / times)
        self.recall = max(0.0, 1.0 - times * (1.0 - self.recall))
        return reached

    def _search(self, queries: Vectors, k: int) -> Neighbors:
        squared, indices = search_in_threads(self.searcher, queries, k)
        return found_or_searched(self.vectors, queries, squared, indices)

    @property
    def effort(self) -> int:
        """Number of candidates kept."""
        return int(self.searcher.hnsw.efSearch)

    @effort.setter
    def effort(self, value: int) -> None:
        self.searcher.hnsw.efSearch = value

    @property
    def max_effort(self) -> int:
        """Number of vectors."""
        return len(self)

    @property
    def parameters(self) -> dict[str, int]:
        return {"n_links": _N_LINKS, "effort": self.effort}

    @property
    def nbytes(self) -> int:
        graph = self.searcher.hnsw
        return self.vectors.nbytes + 4 * graph.neighbors.size() + 12 * len(self)

    def to_arrays(self) -> Arrays:
        graph = self.searcher.hnsw
        return {
            "vectors": self.vectors,
            "links": faiss.vector_to_array(graph.neighbors),
            "levels": faiss.vector_to_array(graph.levels),
            "entry": np.array(graph.entry_point),
            "effort": np.array(self.effort),
            "recall": np.array(self.recall),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        index = cls(arrays["vectors"])
        graph = index.searcher.hnsw
        links_per_level = np.diff(faiss.vector_to_array(graph.cum_nneighbor_per_level))
        offsets = _checked_offsets(arrays, links_per_level)
        faiss.copy_array_to_vector(arrays["links"], graph.neighbors)
        faiss.copy_array_to_vector(arrays["levels"], graph.levels)
        faiss.copy_array_to_vector(offsets, graph.offsets)
        graph.entry_point = int(arrays["entry"])
        graph.max_level = int(arrays["levels"].max()) - 1
        index._show_vectors()
        index.effort = int(arrays["effort"])
        index.recall = float(arrays["recall"])
        return index


def _times_missed(vectors: Vectors, k: int, recall: float) -> float:
    """How many times as many neighbours a graph misses of new vectors as of its own."""
    order = np.random.default_rng(0).permutation(len(vectors))
    n_part = min(len(vectors) // 2, _PART)
    if n_part < 2:
        return 1.0
    part = HNSWIndex.build(vectors[order[:n_part]])
    own = HeldOut.draw(part.vectors, k, 0)
    new = HeldOut.new(vectors[order[n_part : n_part + _N_NEW]], part.vectors, k)
    ApproximateIndex.tune(part, own, recall)
    least = 1.0 / own.near_enough.size / own.k  # a share of nothing cannot be told
    return max(1.0, (1.0 - new.recall(part) + least) / (1.0 - part.recall + least))


def _checked_offsets(arrays: Arrays, links_per_level: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Find where the links of each vector begin; ValueError if a link leads out of the graph.

    faiss follows links without looking, so what a file holds is checked first: every
    link must lead to a vector that exists on the level of the link.
    """
    n = len(arrays["vectors"])
    levels, links, entry = arrays["levels"], arrays["links"], int(arrays["entry"])
    wrong = ValueError("The arrays of an HNSW index do not fit each other.")
    if not (
        levels.dtype == links.dtype == np.int32
        and levels.shape == (n,)
        and levels.min() >= 1
        and levels.max() <= len(links_per_level)
        and 0 <= entry < n
        and levels[entry] == levels.max()
        and 1 <= arrays["effort"] <= n
    ):
        raise wrong
    up_to_level = np.concatenate([[0], np.cumsum(links_per_level)])
    offsets = np.concatenate([[0], np.cumsum(up_to_level[levels])])
    if links.shape != (offsets[-1],) or links.min() < -1 or links.max() >= n:
        raise wrong
    for part in batches(n, _CHUNK_ROWS):
        first, last = offsets[part.start], offsets[min(part.stop, n)]
        place = np.arange(first, last) - np.repeat(offsets[part], up_to_level[levels[part]])
        level_of_link = np.searchsorted(up_to_level, place, side="right") - 1
        linked = links[first:last]
        used = linked >= 0
        if (levels[linked[used]] <= level_of_link[used]).any():
            raise wrong
    return offsets.astype(np.uint64)
