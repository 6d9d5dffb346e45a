"""Errors counted by the workers, block by block."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from dask import delayed
from dask.delayed import Delayed
from distributed import Client
from numpy.typing import NDArray

from ltau._errors.bins import ErrorBins
from ltau._errors.histogram import ErrorHistogram
from ltau._errors.range import ErrorRange
from ltau.adapters.dask._cluster import gather_as_finished
from ltau.estimator import LTAUEstimator

__all__ = ["count", "count_block", "find_bins"]


def find_bins(errors: da.Array, estimator: LTAUEstimator, client: Client) -> ErrorBins:
    """Find the bins that hold all errors, or take over their edges."""
    if not isinstance(estimator.bins, str):
        return ErrorBins(estimator.bins)
    tasks = [delayed(_range)(block) for block in _blocks(errors)]
    found = ErrorRange()
    for _, found_in_block in gather_as_finished(client, tasks):
        found.merge(found_in_block)
    return ErrorBins.from_range(found, estimator.n_bins, estimator.bins)


def count(errors: da.Array, bins: ErrorBins, client: Client) -> ErrorHistogram:
    """Count the errors of each block, and put the counts together."""
    tasks = [delayed(count_block)(block, bins) for block in _blocks(errors)]
    ends = np.cumsum(errors.chunks[0])
    histogram = ErrorHistogram(bins, len(errors))
    for block, counted in gather_as_finished(client, tasks):
        histogram.merge(counted, slice(ends[block] - counted.n_samples, ends[block]))
    return histogram


def count_block(errors: NDArray[Any], bins: ErrorBins) -> ErrorHistogram:
    """Count the errors of the samples of one block."""
    histogram = ErrorHistogram(bins, len(errors))
    histogram.update(errors, slice(None))
    return histogram


def _range(errors: NDArray[Any]) -> ErrorRange:
    found = ErrorRange()
    found.update(errors)
    return found


def _blocks(errors: da.Array) -> list[Delayed]:
    return errors.to_delayed().ravel().tolist()
