"""What the examples in docstrings share, and which files cannot be imported."""

import sys
from importlib.util import find_spec

import pytest

# No environment holds all: MACE and NequIP need different versions of e3nn.
_NEEDED = {
    "chgnet": ["ltau/adapters/chgnet.py"],
    "mace": ["ltau/adapters/mace", "ltau/_commands/mace/runs.py"],
    "matgl": ["ltau/adapters/matgl.py"],
    "metatomic": ["ltau/adapters/metatomic"],
    "sevenn": ["ltau/adapters/sevennet.py"],
}

collect_ignore = [
    path for package, paths in _NEEDED.items() if not find_spec(package) for path in paths
]


@pytest.fixture(autouse=True)
def no_open_figures():
    """Close what was drawn: matplotlib warns of too many figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
