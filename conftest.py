"""What the examples in docstrings share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def no_open_figures():
    """Close what was drawn: matplotlib warns of too many figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
