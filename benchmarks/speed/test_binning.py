"""Binning 100,000 trajectories of 200 epochs, against numpy on the whole array at once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ltau import ErrorBins, ErrorHistogram

N_SAMPLES, N_EPOCHS = 100_000, 200

Errors = NDArray[np.float32]
Counts = NDArray[np.integer]


@pytest.fixture(scope="module")
def errors() -> Errors:
    rng = np.random.default_rng(0)
    return rng.lognormal(-3, 1.2, size=(N_SAMPLES, N_EPOCHS)).astype(np.float32)


@pytest.fixture(scope="module")
def bins(errors: Errors) -> ErrorBins:
    return ErrorBins.from_errors(errors)


def bin_with_ltau(bins: ErrorBins, errors: Errors) -> Counts:
    histogram = ErrorHistogram(bins, len(errors))
    histogram.update(errors)
    return histogram.counts


def bin_with_numpy(bins: ErrorBins, errors: Errors) -> Counts:
    index = np.searchsorted(bins.edges.astype(np.float32), errors, side="right") - 1
    np.minimum(index, bins.n_bins - 1, out=index)
    index += bins.n_bins * np.arange(len(errors))[:, None]
    counts = np.bincount(index.ravel(), minlength=len(errors) * bins.n_bins)
    return counts.reshape(len(errors), bins.n_bins)


@pytest.mark.benchmark(group="binning 100,000 x 200")
@pytest.mark.parametrize("how", [bin_with_ltau, bin_with_numpy])
def test_binning(
    benchmark: Any, bins: ErrorBins, errors: Errors, how: Callable[[ErrorBins, Errors], Counts]
) -> None:
    benchmark.pedantic(how, (bins, errors), rounds=11, warmup_rounds=1)


def test_binning_is_the_same_and_light(bins: ErrorBins, errors: Errors) -> None:
    tracemalloc.start()
    counts = bin_with_ltau(bins, errors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"peak extra memory of binning: {peak / 1e6:.0f} MB")
    assert peak < 100e6
    np.testing.assert_array_equal(counts, bin_with_numpy(bins, errors))
