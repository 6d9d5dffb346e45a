"""Error trajectories of the training samples after the burn-in, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._errors.bins import ErrorBins
from ltau._errors.checks import check_seen, n_burnt_in
from ltau._errors.histogram import ErrorHistogram
from ltau._errors.range import as_float32
from ltau.log import ErrorLog

__all__ = ["Trajectories"]

_BLOCK_VALUES = 1 << 24  # errors read at once
_SCATTERED_VALUES = 1 << 18  # of these, counted at once


class Trajectories:
    """Errors in memory or in a log, of which no more than a block is copied.

    Parameters
    ----------
    errors : ndarray of shape (n_samples, n_epochs), or ErrorLog
        The errors; NaN = not seen.
    burn_in : float or int
        First epochs to leave out, as in `LTAUEstimator`.
    rows : ndarray of shape (n_rows,), intp, optional
        The samples to take, ascending; by default all.
    """

    def __init__(
        self,
        errors: NDArray[np.generic] | ErrorLog,
        burn_in: float,
        rows: NDArray[np.intp] | None = None,
    ) -> None:
        self._errors = errors
        self._burn_in = burn_in
        self._first = n_burnt_in(burn_in, errors.shape[1])
        self._rows = rows

    def __len__(self) -> int:
        return len(self._errors) if self._rows is None else len(self._rows)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Leave all but some samples out."""
        return type(self)(
            self._errors, self._burn_in, rows if self._rows is None else self._rows[rows]
        )

    def read(self, part: slice = slice(None)) -> NDArray[np.generic]:
        """Read the errors of a range of samples, shape (n, n_epochs - burn_in)."""
        return self._errors[part if self._rows is None else self._rows[part], self._first :]

    def find_bins(self, bins: str | ArrayLike, n_bins: int) -> ErrorBins:
        """Find the bins that hold all errors, or take over their edges."""
        if not isinstance(bins, str):
            return ErrorBins(bins)
        # The range may be found in any order: a log is fastest by epochs.
        if isinstance(self._errors, ErrorLog) and self._rows is None:
            epochs = range(self._first, self._errors.shape[1])
            return ErrorBins.from_blocks((self._errors[:, epoch] for epoch in epochs), n_bins, bins)
        return ErrorBins.from_blocks((self.read(part) for part in self._parts()), n_bins, bins)

    def check(self, bins: ErrorBins) -> None:
        """Refuse errors that have no bin, and samples without any, before they are counted."""
        seen: NDArray[np.bool_] = np.zeros(len(self), bool)
        for part in self._parts():
            errors = as_float32(self.read(part))
            bins._check(errors)
            seen[part] = ~np.isnan(errors).all(axis=1)
        check_seen(seen)

    def count(self, bins: ErrorBins) -> ErrorHistogram:
        """Count the errors of each sample."""
        histogram = ErrorHistogram(bins, len(self))
        for part in self._parts():
            histogram.update(self.read(part), part)
        check_seen(histogram.n_seen > 0)
        return histogram

    def count_together(
        self, bins: ErrorBins, groups: NDArray[np.intp], n_groups: int
    ) -> ErrorHistogram:
        """Count the errors of all samples of a group together.

        Parameters
        ----------
        bins : ErrorBins
            The bins, which hold all errors.
        groups : ndarray of shape (n_samples,), intp
            Group of each sample.
        n_groups : int
            Number of groups.

        Returns
        -------
        ErrorHistogram
            Counts of each group. Those of single samples are held nowhere.
        """
        histogram = ErrorHistogram(bins, n_groups)
        for part in self._parts():
            errors, members = self.read(part), groups[part]
            size = max(1, _SCATTERED_VALUES // errors.shape[1])
            for start in range(0, len(errors), size):
                histogram.update(errors[start : start + size], members[start : start + size])
        return histogram

    def _parts(self) -> Iterator[slice]:
        size = max(1, _BLOCK_VALUES // (self._errors.shape[1] - self._first))
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))
