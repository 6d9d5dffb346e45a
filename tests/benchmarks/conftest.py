"""Rows that several tests of the benchmarks train on."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def rows():
    """Features, and a target whose noise grows along the first of them."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 3))
    return X, 10 * X[:, 1] + np.exp(X[:, 0]) * rng.normal(size=400)
