"""The error densities of the training samples, and their weighted averages.

Held as cumulative counts in the smallest integer type: the probability below any
error is then two look-ups a neighbour, and the density of a query is one pass over
its neighbours' rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ltau._errors.bins import ErrorBins
from ltau._errors.histogram import ErrorHistogram
from ltau._files.arrays import Arrays
from ltau._maths.ties import between

__all__ = ["TrainingDensities"]

Floats = NDArray[np.float64]

_CHUNK_ROWS = 1 << 14
_MOST_EDGES = 1 << 20  # in a file: to check them takes several copies
_BLOCK_VALUES = 1 << 18  # counts averaged at once: they stay in the cache


class TrainingDensities:
    """Error densities of the training samples over common bins.

    Parameters
    ----------
    edges : ndarray of shape (n_bins + 1,), float64
        The bin edges.
    cumulative : ndarray of shape (n_samples, n_bins), unsigned integer
        How many errors of each sample fell in each bin or in one below it; the last
        column, how often the sample was seen, is positive.
    """

    def __init__(self, edges: Floats, cumulative: NDArray[np.unsignedinteger]) -> None:
        self.edges = edges
        self.cumulative = cumulative

    @classmethod
    def from_histogram(cls, histogram: ErrorHistogram) -> TrainingDensities:
        """Take over the counts of a histogram, which is left without a use.

        Parameters
        ----------
        histogram : ErrorHistogram
            Counts of every training sample.

        Returns
        -------
        TrainingDensities
            The densities; they share the histogram's memory.
        """
        counts = histogram.counts
        np.cumsum(counts, axis=1, dtype=counts.dtype, out=counts)
        return cls(histogram.bins.edges, counts)

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes these densities again."""
        return {"edges": self.edges, "cumulative": self.cumulative}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> TrainingDensities:
        """Make the densities again; raises ValueError where the arrays are not such."""
        edges, cumulative = arrays["edges"], arrays["cumulative"]
        if edges.dtype != np.float64 or edges.size > _MOST_EDGES:
            raise ValueError(
                f"Expected at most {_MOST_EDGES:,} bin edges in float64, got {edges.size:,} in "
                f"{edges.dtype}."
            )
        edges = ErrorBins(edges).edges
        if cumulative.dtype.kind != "u" or cumulative.shape[1:] != (len(edges) - 1,):
            raise ValueError("Expected cumulative counts in each bin.")
        for start in range(0, len(cumulative), _CHUNK_ROWS):  # they may lie in a mapped file
            part = cumulative[start : start + _CHUNK_ROWS]
            if (part[:, 1:] < part[:, :-1]).any() or not part[:, -1].all():
                raise ValueError("Expected cumulative counts that rise above 0.")
        return cls(edges, cumulative)

    def __len__(self) -> int:
        return len(self.cumulative)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @cached_property
    def means(self) -> Floats:
        """Expected error of each training sample, shape (n_samples,)."""
        centers = (self.edges[:-1] + self.edges[1:]) / 2
        means = np.empty(len(self))
        for start in range(0, len(self), _CHUNK_ROWS):
            block = self.cumulative[start : start + _CHUNK_ROWS].astype(np.float64)
            counts = np.diff(block, axis=1, prepend=0.0)
            means[start : start + _CHUNK_ROWS] = counts @ centers / block[:, -1]
        return means

    def cdf(self, rows: NDArray[np.intp], error: float | Floats) -> Floats:
        """Evaluate P(training error <= error) for some samples.

        Parameters
        ----------
        rows : ndarray of any shape, intp
            Training samples.
        error : float, or ndarray that broadcasts to the shape of `rows`
            The error, in its unit.

        Returns
        -------
        ndarray of the shape of `rows`
            Probabilities, linear within a bin.
        """
        point = np.clip(error, 0.0, self.edges[-1])
        right = np.searchsorted(self.edges, point, side="right") - 1
        right = np.clip(right, 0, self.n_bins - 1)
        fraction = (point - self.edges[right]) / (self.edges[right + 1] - self.edges[right])
        up_to_right = self.cumulative[rows, right].astype(np.float64)
        up_to_left = np.where(right > 0, self.cumulative[rows, right - 1], 0.0)
        count = between(fraction, up_to_left, up_to_right)
        return count / self.cumulative[rows, -1]

    def average(
        self, rows: NDArray[np.intp], weights: Floats, bin_size: Floats | float = 1.0
    ) -> Floats:
        """Average the densities of each query's neighbours.

        Parameters
        ----------
        rows : ndarray of shape (n_queries, k), intp
            The neighbours.
        weights : ndarray of shape (n_queries, k), float64
            Their weights, which sum to 1 in every row.
        bin_size : float or ndarray of shape (n_bins,), default=1.0
            What the probabilities are divided by: the widths of the bins for densities.

        Returns
        -------
        ndarray of shape (n_queries, n_bins)
            Probability of each bin, per `bin_size`.
        """
        result = np.empty((len(rows), self.n_bins))
        for part, cumulative in self._averages(rows, weights):
            # Where no neighbour has a count, rounding may leave a little less than nothing.
            cumulative[:, 1:] = np.maximum(np.diff(cumulative), 0.0)
            np.divide(cumulative, bin_size, out=result[part])
        return result

    def average_cdf(self, rows: NDArray[np.intp], weights: Floats) -> Floats:
        """Average the cumulative distributions of each query's neighbours.

        Parameters
        ----------
        rows, weights
            As in `average`.

        Returns
        -------
        ndarray of shape (n_queries, n_bins + 1)
            Probability below each edge, from 0 to 1.
        """
        result = np.empty((len(rows), self.n_bins + 1))
        result[:, 0] = 0.0
        for part, cumulative in self._averages(rows, weights):
            # Rounding may undo, by a little, that they rise, and that they end at 1.
            np.maximum.accumulate(cumulative, axis=1, out=result[part, 1:])
        result /= result[:, -1:]
        return result

    def _averages(self, rows: NDArray[np.intp], weights: Floats) -> Iterator[tuple[slice, Floats]]:
        """Average the cumulative probabilities, in blocks of queries."""
        weights = weights / self.cumulative[rows, -1]
        block = max(1, _BLOCK_VALUES // (rows.shape[1] * self.n_bins))
        for start in range(0, len(rows), block):  # never (n_queries, k, n_bins) at once
            part = slice(start, start + block)
            counts = self.cumulative.take(rows[part], axis=0, mode="clip")  # checks no bounds
            yield part, np.einsum("qkb,qk->qb", counts, weights[part])
