"""What the examples in docstrings share, and which files cannot be imported."""

import sys
from importlib.util import find_spec

import pytest

# MACE and NequIP need different versions of e3nn: no environment holds both.
collect_ignore = [] if find_spec("mace") else ["ltau/adapters/mace", "ltau/_commands/mace/runs.py"]


@pytest.fixture(autouse=True)
def no_open_figures():
    """Close what was drawn: matplotlib warns of too many figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
