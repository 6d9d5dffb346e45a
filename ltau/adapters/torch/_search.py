"""Exact nearest neighbours among the vectors of a tensor, on the device where it is."""

from __future__ import annotations

import numpy as np
import torch

from ltau.neighbors import Vectors

__all__ = ["BLOCK_VALUES", "ExactSearch"]

BLOCK_VALUES = 1 << 25  # in the largest temporary, whatever the number of queries

_SPARE_CANDIDATES = 24
_GROUP = 64  # vectors that are passed over at once where none of them is near

# What a matrix product may do to its factors first, relatively, by the precision that torch
# is set to: nothing, or shorten them to TF32 or to bfloat16.
_SHORTENING = {"highest": 0.0, "high": 2.0**-10, "medium": 2.0**-7}


class ExactSearch(torch.nn.Module):
    """The nearest of a fixed set of vectors by Euclidean distance.

    The means are those of `ltau.neighbors._flat`: candidates from matrix products,
    ``|x|² - 2 q·x``, some to spare, are measured again by differences. Where a vector
    that is no candidate could still be nearer than the k-th neighbour, the query is
    searched again by differences alone.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32
        The vectors, finite.
    """

    vectors: torch.Tensor  # with rows of padding at the end, to make whole groups
    squares: torch.Tensor  # of their lengths; infinite for the padding

    def __init__(self, vectors: Vectors) -> None:
        super().__init__()
        self.n = len(vectors)
        padding = -self.n % _GROUP
        squares = np.einsum("nf,nf->n", vectors, vectors, dtype=np.float64).astype(np.float32)
        for name, array, value in (("vectors", vectors, 0.0), ("squares", squares, torch.inf)):
            pads = [(0, padding), (0, 0)][: array.ndim]
            padded = torch.from_numpy(np.pad(array, pads, constant_values=value))
            self.register_buffer(name, padded, persistent=False)

    def forward(self, queries: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the `k` nearest vectors of each query.

        Parameters
        ----------
        queries : tensor of shape (n_queries, n_features), float32
            The queries.
        k : int
            At most the number of vectors.

        Returns
        -------
        distances : tensor of shape (n_queries, k), float64
            Distances, ascending.
        indices : tensor of shape (n_queries, k), int64
            Rows of `vectors`; of equally near ones the first.

        Raises
        ------
        ValueError
            If queries are not finite, or so large that squared distances overflow float32.
        """
        with torch.autocast(queries.device.type, enabled=False):
            found = [self._by_products(part, k) for part in queries.split(self._block(k))]
            squared, indices, sure = (torch.cat(parts) for parts in zip(*found, strict=True))
            if not sure.all():  # here alone the host waits for the device
                self._search_again(queries, k, ~sure, squared, indices)
        return squared.double().sqrt(), indices

    def _block(self, k: int) -> int:
        """Count the queries that are searched at once."""
        n_candidates = k + _SPARE_CANDIDATES
        values = max(len(self.vectors), n_candidates * max(_GROUP, self.vectors.shape[1]))
        return max(1, BLOCK_VALUES // values)

    def _by_products(
        self, queries: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Find neighbours, and tell for which queries they are sure to be the nearest."""
        products = torch.addmm(self.squares, queries, self.vectors.T, alpha=-2)
        n_candidates = min(k + _SPARE_CANDIDATES, self.n)
        values, candidates = _least(products, n_candidates)
        squared, indices = self._measure(queries, candidates, k)
        farthest = squared[:, -1]
        if n_candidates == self.n:
            return squared, indices, farthest < torch.inf
        length = torch.linalg.vector_norm(queries, dim=1)
        nearest_other = values[:, -1] + length**2 - _rounding(queries, length, farthest.sqrt())
        return squared, indices, nearest_other > farthest  # not so where anything is NaN

    def _search_again(
        self,
        queries: torch.Tensor,
        k: int,
        unsure: torch.Tensor,
        squared: torch.Tensor,
        indices: torch.Tensor,
    ) -> None:
        """Search some queries by differences alone, and put what is found in its place."""
        rows = unsure.nonzero()[:, 0]
        limit = 0.5 * (torch.finfo(torch.float32).max / queries.shape[1]) ** 0.5
        bad = int((~(queries[rows].abs() < limit)).any(dim=1).sum())
        if bad:
            raise ValueError(
                f"Expected finite latents, below {limit:.3g} when they are scaled, got NaN, "
                f"infinite or larger ones in {bad} of {len(queries)} rows."
            )
        vectors = self.vectors[: self.n]
        for part in rows.split(self._block(k)):
            distances = torch.cdist(
                queries[part], vectors, compute_mode="donot_use_mm_for_euclid_dist"
            )
            candidates = distances.topk(min(k + _SPARE_CANDIDATES, self.n), largest=False).indices
            squared[part], indices[part] = self._measure(queries[part], candidates, k)

    def _measure(
        self, queries: torch.Tensor, candidates: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Measure the squared distances of candidates by differences; keep the `k` nearest."""
        candidates = candidates.sort(dim=1).values
        squared = (self.vectors[candidates] - queries[:, None]).square_().sum(dim=2)
        squared, order = squared.sort(dim=1, stable=True)
        return squared[:, :k], candidates.gather(1, order[:, :k])


def _least(values: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the `n` least values of each row, ascending, and their columns.

    They lie in the `n` groups of columns whose own least values are the least.
    """
    groups = values.unflatten(1, (-1, _GROUP)).amin(dim=2)
    chosen = groups.topk(min(n, groups.shape[1]), largest=False, sorted=False).indices
    within = torch.arange(_GROUP, device=values.device)
    columns = (chosen[:, :, None] * _GROUP + within).flatten(1)
    least = values.gather(1, columns).topk(n, largest=False)
    return least.values, columns.gather(1, least.indices)


def _rounding(queries: torch.Tensor, length: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
    """Bound the rounding of ``|q|² - 2 q·x + |x|²`` for any x within `distance` of q.

    Such an x is no longer than ``|q| + distance``. Rounding errors of the sums over
    features add up as their square root, with a safety factor; factors that are
    shortened may all err to the same side.
    """
    sums = 4 * queries.shape[1] ** 0.5 * torch.finfo(torch.float32).eps
    return (sums + _shortening()) * (2 * length + distance) ** 2


def _shortening() -> float:
    try:
        return _SHORTENING[torch.get_float32_matmul_precision()]
    except RuntimeError:  # set for each backend by itself: it may be any
        return max(_SHORTENING.values())
