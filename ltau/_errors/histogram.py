"""Counts of the errors that fall in each bin, sample by sample."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._errors.bins import ErrorBins
from ltau._errors.range import CHUNK_VALUES, as_float32

__all__ = ["ErrorHistogram"]


class ErrorHistogram:
    """Counts of each sample's errors, one epoch at a time.

    Its memory does not grow with the number of epochs: counts are held in the
    smallest unsigned integer type that holds them.

    Parameters
    ----------
    bins : ErrorBins
        The bins, common to all samples.
    n_samples : int
        Number of samples.

    Attributes
    ----------
    bins : ErrorBins
        The bins.
    counts : ndarray of shape (n_samples, n_bins), unsigned integer
        How many errors of each sample fell in each bin.

    Examples
    --------
    >>> from ltau import ErrorBins, ErrorHistogram
    >>> histogram = ErrorHistogram(ErrorBins([0.0, 1.0, 2.0]), n_samples=3)
    >>> histogram.update([0.5, 1.5, 0.2])            # one epoch, every sample
    >>> histogram.update([1.9, 0.1], ids=[0, 2])     # one epoch, two samples
    >>> histogram.counts
    array([[1, 1],
           [0, 1],
           [2, 0]], dtype=uint8)
    """

    def __init__(self, bins: ErrorBins, n_samples: int) -> None:
        self.bins = bins
        self.counts: NDArray[np.unsignedinteger] = np.zeros((n_samples, bins.n_bins), np.uint8)
        self._n_given = np.zeros(n_samples, np.int64)  # errors of each sample, NaN included

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.counts)

    @property
    def n_seen(self) -> NDArray[np.int64]:
        """Number of errors counted for each sample, shape (n_samples,)."""
        return self.counts.sum(axis=1, dtype=np.int64)

    def update(self, errors: ArrayLike, ids: ArrayLike | slice | None = None) -> None:
        """Count one epoch's errors, or several epochs' at once.

        Parameters
        ----------
        errors : array-like of shape (n,) or (n, n_epochs)
            Errors from 0 to the last edge; NaN = not seen, and skipped.
        ids : array-like of shape (n,), int, or slice, optional
            The samples that the rows belong to: in any order, and a sample may be named
            twice; or a range of samples, which is faster for many epochs. By default
            the rows are all samples in order.

        Raises
        ------
        ValueError
            If lengths differ, an id has no sample, or an error is negative,
            infinite or above the last edge. Nothing is counted then.
        """
        values = as_float32(errors)
        if values.ndim not in (1, 2):
            raise ValueError(f"Expected errors of shape (n,) or (n, n_epochs), got {values.shape}.")
        if ids is None:
            ids = slice(None)
        rows = np.arange(self.n_samples)[ids] if isinstance(ids, slice) else self._check_ids(ids)
        self._check_length(len(values), len(rows))
        if isinstance(ids, slice) and values.ndim == 2:
            self._add_counts(self._count_rows(values), ids, values.shape[1])
        else:
            self._scatter(values[:, None] if values.ndim == 1 else values, rows)

    def merge(self, other: ErrorHistogram, ids: slice | None = None) -> Self:
        """Add the counts of another histogram over the same bins.

        Parameters
        ----------
        other : ErrorHistogram
            Counts from other epochs, from another model or of other samples.
        ids : slice, optional
            The range of samples that `other` counted. By default all of them, in order.

        Returns
        -------
        ErrorHistogram
            This histogram.

        Raises
        ------
        ValueError
            If the bins or the number of samples differ.
        """
        if not np.array_equal(self.bins.edges, other.bins.edges):
            raise ValueError(f"Expected the same bins, got {self.bins!r} and {other.bins!r}.")
        rows = slice(None) if ids is None else ids
        self._check_length(other.n_samples, len(range(self.n_samples)[rows]))
        self._add_counts(other.counts, rows, other._n_given)
        return self

    def _count_rows(self, values: NDArray[np.float32]) -> NDArray[np.unsignedinteger]:
        """Histogram of each row: the fast way for many epochs of all samples."""
        n_rows, n_epochs = values.shape
        n_bins = self.bins.n_bins
        n_columns = n_bins + 2
        counts = np.empty((n_rows, n_bins), np.min_scalar_type(n_epochs))
        chunk = max(1, CHUNK_VALUES // max(n_epochs, n_columns))
        first_column = np.arange(0, chunk * n_columns, n_columns, dtype=np.int32)
        first_column = np.repeat(first_column[:, None], n_epochs, axis=1)
        for start in range(0, n_rows, chunk):
            block = values[start : start + chunk]
            columns = self.bins.columns(block)
            columns += first_column[: len(block)]
            block_counts = np.bincount(columns.ravel(), minlength=len(block) * n_columns)
            block_counts = block_counts.reshape(len(block), n_columns)
            if block_counts[:, n_bins].any():
                self.bins.check(block)
            counts[start : start + len(block)] = block_counts[:, :n_bins]
        return counts

    def _add_counts(
        self,
        counts: NDArray[np.unsignedinteger],
        rows: slice,
        n_given: int | NDArray[np.int64],
    ) -> None:
        self._n_given[rows] += n_given
        self._make_room()
        self.counts[rows] += counts.astype(self.counts.dtype, copy=False)

    def _scatter(self, values: NDArray[np.float32], rows: NDArray[np.intp]) -> None:
        """Count each value where it belongs: the fast way for one epoch, or a few samples."""
        columns = self.bins.columns(values)
        if (columns == self.bins.n_bins).any():
            self.bins.check(values)
        seen = columns < self.bins.n_bins
        np.add.at(self._n_given, rows, values.shape[1])
        self._make_room()
        flat = (rows[:, None] * self.bins.n_bins + columns)[seen]
        np.add.at(self.counts.reshape(-1), flat, self.counts.dtype.type(1))

    def _make_room(self) -> None:
        """Widen the counts where all errors of a sample in one bin would not fit."""
        needed = np.min_scalar_type(int(self._n_given.max(initial=0)))
        if needed.itemsize > self.counts.itemsize:
            self.counts = self.counts.astype(needed)

    def _check_ids(self, ids: ArrayLike) -> NDArray[np.intp]:
        rows = np.asarray(ids)
        if rows.ndim != 1 or not (rows.size == 0 or np.issubdtype(rows.dtype, np.integer)):
            raise ValueError(f"Expected 1-D integer ids, got shape {rows.shape}, {rows.dtype}.")
        if rows.size and not (rows.min() >= 0 and rows.max() < self.n_samples):
            raise ValueError(
                f"Expected ids from 0 to {self.n_samples - 1}, got {rows.min()} to {rows.max()}."
            )
        return rows.astype(np.intp)

    @staticmethod
    def _check_length(got: int, expected: int) -> None:
        if got != expected:
            raise ValueError(f"Expected {expected} samples, got {got}.")

    def __repr__(self) -> str:
        return f"ErrorHistogram({self.bins!r}, n_samples={self.n_samples})"
