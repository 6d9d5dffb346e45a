"""Sorting that does not depend on the order in which tied samples came."""

from __future__ import annotations

import numpy as np

from ltau._inputs.numbers import FloatArray


def sort_averaging_ties(values: FloatArray, *, by: FloatArray) -> FloatArray:
    """Sort `values` by `by`, each replaced by the mean of those it ties with.

    The mean is what a random order among the tied samples gives on average.
    """
    _, tie, counts = np.unique(by, return_inverse=True, return_counts=True)
    means = np.bincount(tie, weights=values) / counts
    return np.repeat(means, counts)
