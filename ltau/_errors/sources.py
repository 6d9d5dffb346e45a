"""Where the errors of the training samples come from: an array, a log, or counts of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._errors.bins import ErrorBins
from ltau._errors.checks import check_seen, check_trajectories, n_burnt_in
from ltau._errors.histogram import ErrorHistogram
from ltau._errors.range import as_float32
from ltau.log import ErrorLog

__all__ = ["ErrorSource", "open_errors"]

_BLOCK_VALUES = 1 << 24  # errors read at once
_SCATTERED_VALUES = 1 << 18  # of these, counted at once


class ErrorSource(ABC):
    """Errors of the training samples, of which each has a row."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, rows: NDArray[np.intp]) -> Self:
        """Leave all but some samples out."""

    @abstractmethod
    def read(self, part: slice = slice(None)) -> NDArray[np.generic]:
        """Read the errors of a range of samples after the burn-in, shape (n, n_epochs)."""

    @abstractmethod
    def find_bins(self, bins: str | ArrayLike, n_bins: int) -> ErrorBins:
        """Find bins that hold all errors, spaced so, or take over their edges."""

    @abstractmethod
    def check(self, bins: ErrorBins) -> None:
        """Refuse errors that have no bin, and samples without any, before they are counted."""

    @abstractmethod
    def count(self, bins: ErrorBins) -> ErrorHistogram:
        """Count the errors of each sample, and refuse those that `check` refuses."""

    @abstractmethod
    def count_together(
        self, bins: ErrorBins, owners: NDArray[np.intp], n_owners: int
    ) -> ErrorHistogram:
        """Count the errors of samples together.

        Parameters
        ----------
        bins : ErrorBins
            The bins, which hold all errors.
        owners : ndarray of shape (n_samples,), intp
            Number of what each sample's errors are counted for, such as a prototype.
        n_owners : int
            How many there are.

        Returns
        -------
        ErrorHistogram
            Counts of each owner. Those of single samples are held nowhere.
        """


def open_errors(
    y: ArrayLike | ErrorLog | ErrorHistogram, n_samples: int, burn_in: float
) -> ErrorSource:
    """Open the errors of the training samples, whatever holds them.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_epochs), ErrorLog or ErrorHistogram
        The errors; NaN = not seen. No more than a block of them is copied.
    n_samples : int
        Number of samples that there must be.
    burn_in : float or int
        First epochs to leave out, as in `LTAUEstimator`; counts are taken as they are.

    Returns
    -------
    ErrorSource
        The errors. Their values are checked when they are binned.

    Raises
    ------
    ValueError
        If they have another shape, are no real numbers, or no epoch is left.
    """
    if isinstance(y, ErrorHistogram):
        return _Counts(y, n_samples)
    return _Trajectories(check_trajectories(y, n_samples), burn_in)


class _Trajectories(ErrorSource):
    """Errors in memory or in a log, read in blocks.

    Parameters
    ----------
    errors : ndarray of shape (n_samples, n_epochs), or ErrorLog
        The errors; NaN = not seen.
    burn_in : float or int
        First epochs to leave out, as in `LTAUEstimator`.
    rows : ndarray of shape (n_rows,), intp, optional
        The samples to take, ascending; by default all.
    n_epochs : int, optional
        The first epochs, which are all that count; by default those that there are now.
    """

    def __init__(
        self,
        errors: NDArray[np.generic] | ErrorLog,
        burn_in: float,
        rows: NDArray[np.intp] | None = None,
        n_epochs: int | None = None,
    ) -> None:
        # Of a log that a training goes on to write: all that is read is of the same epochs.
        n_epochs = errors.shape[1] if n_epochs is None else n_epochs
        self._errors = errors
        self._burn_in = burn_in
        self._epochs = slice(n_burnt_in(burn_in, n_epochs), n_epochs)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._errors) if self._rows is None else len(self._rows)

    def take(self, rows: NDArray[np.intp]) -> Self:
        rows = rows if self._rows is None else self._rows[rows]
        return type(self)(self._errors, self._burn_in, rows, self._epochs.stop)

    def read(self, part: slice = slice(None)) -> NDArray[np.generic]:
        return self._errors[part if self._rows is None else self._rows[part], self._epochs]

    def find_bins(self, bins: str | ArrayLike, n_bins: int) -> ErrorBins:
        if not isinstance(bins, str):
            return ErrorBins(bins)
        # The range may be found in any order: a log is fastest by epochs.
        if isinstance(self._errors, ErrorLog) and self._rows is None:
            epochs = range(self._epochs.start, self._epochs.stop)
            return ErrorBins.from_blocks((self._errors[:, epoch] for epoch in epochs), n_bins, bins)
        return ErrorBins.from_blocks((self.read(part) for part in self._parts()), n_bins, bins)

    def check(self, bins: ErrorBins) -> None:
        seen: NDArray[np.bool_] = np.zeros(len(self), bool)
        for part in self._parts():
            errors = as_float32(self.read(part))
            bins.check(errors)
            seen[part] = ~np.isnan(errors).all(axis=1)
        check_seen(seen)

    def count(self, bins: ErrorBins) -> ErrorHistogram:
        histogram = ErrorHistogram(bins, len(self))
        for part in self._parts():
            histogram.update(self.read(part), part)
        check_seen(histogram.n_seen > 0)
        return histogram

    def count_together(
        self, bins: ErrorBins, owners: NDArray[np.intp], n_owners: int
    ) -> ErrorHistogram:
        histogram = ErrorHistogram(bins, n_owners)
        for part in self._parts():
            errors, owners_of_part = self.read(part), owners[part]
            size = max(1, _SCATTERED_VALUES // errors.shape[1])
            for start in range(0, len(errors), size):
                some = slice(start, start + size)
                histogram.update(errors[some], owners_of_part[some])
        return histogram

    def _parts(self) -> Iterator[slice]:
        size = max(1, _BLOCK_VALUES // (self._epochs.stop - self._epochs.start))
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))


class _Counts(ErrorSource):
    """Errors that were counted elsewhere.

    Parameters
    ----------
    histogram : ErrorHistogram
        The counts; it stays as it is.
    n_samples : int
        Number of samples that it must have.
    """

    def __init__(self, histogram: ErrorHistogram, n_samples: int) -> None:
        if histogram.n_samples != n_samples:
            raise ValueError(
                f"Expected counts of {n_samples} samples, as many as latents, got those of "
                f"{histogram.n_samples}."
            )
        self._histogram = histogram

    def __len__(self) -> int:
        return self._histogram.n_samples

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Refuse to leave samples out, which would only serve to score them."""
        raise ValueError(
            "Expected errors, by which n_prototypes='auto' scores, got counts: give a number."
        )

    def read(self, part: slice = slice(None)) -> NDArray[np.generic]:
        """Refuse to give errors."""
        raise ValueError("Expected errors, got counts.")

    def find_bins(self, bins: str | ArrayLike, n_bins: int) -> ErrorBins:
        """Give the bins of the counts, whatever bins are asked for."""
        return self._histogram.bins

    def check(self, bins: ErrorBins) -> None:
        check_seen(self._histogram.n_seen > 0)

    def count(self, bins: ErrorBins) -> ErrorHistogram:
        self.check(bins)
        return ErrorHistogram(bins, len(self)).merge(self._histogram)

    def count_together(
        self, bins: ErrorBins, owners: NDArray[np.intp], n_owners: int
    ) -> ErrorHistogram:
        columns = self._histogram.counts.T
        together = np.stack([np.bincount(owners, column, n_owners) for column in columns], axis=1)
        histogram = ErrorHistogram(bins, n_owners)
        largest = together.sum(axis=1).max().astype(np.uint64)
        histogram.counts = together.astype(np.min_scalar_type(largest))
        return histogram
