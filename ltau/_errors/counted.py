"""Errors that were counted elsewhere, in place of trajectories."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._errors.bins import ErrorBins
from ltau._errors.checks import check_seen
from ltau._errors.histogram import ErrorHistogram

__all__ = ["CountedErrors"]


class CountedErrors:
    """The counts of a histogram, with what an estimator asks of `Trajectories`.

    Parameters
    ----------
    histogram : ErrorHistogram
        The counts; it stays as it is.
    n_samples : int
        Number of samples that it must have.

    Raises
    ------
    ValueError
        If it has another number.
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

    def read(self) -> NDArray[np.generic]:
        """Refuse to give errors."""
        raise ValueError("Expected errors, got counts.")

    def find_bins(self, bins: str | ArrayLike, n_bins: int) -> ErrorBins:
        """Give the bins of the counts, whatever bins are asked for."""
        return self._histogram.bins

    def check(self, bins: ErrorBins) -> None:
        """Refuse samples without any errors."""
        check_seen(self._histogram.n_seen > 0)

    def count(self, bins: ErrorBins) -> ErrorHistogram:
        """Copy the counts."""
        self.check(bins)
        return ErrorHistogram(bins, len(self)).merge(self._histogram)

    def count_together(
        self, bins: ErrorBins, groups: NDArray[np.intp], n_groups: int
    ) -> ErrorHistogram:
        """Add up the counts of all samples of each group."""
        counts = self._histogram.counts
        together = np.stack(
            [np.bincount(groups, column, n_groups) for column in counts.T], axis=1
        ).astype(np.uint64)
        histogram = ErrorHistogram(bins, n_groups)
        histogram.counts = together.astype(np.min_scalar_type(together.sum(axis=1).max()))
        return histogram
