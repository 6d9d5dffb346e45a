"""Rows that several tests of the comparison train on."""

import numpy as np
import pytest

from ltau.comparison import Rows


@pytest.fixture(scope="package")
def rows():
    """Features, and a target whose noise grows along the first of them."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(200, 3))
    return Rows(X, 10 * X[:, 1] + np.exp(X[:, 0]) * rng.normal(size=200))
