"""The driver of i-PI for the model of copper: see input.xml."""

from __future__ import annotations

import sys
from pathlib import Path

from ltau.adapters.ase import UncertainCalculator
from ltau.adapters.ipi import UncertainDriver

sys.path.insert(0, str(Path(__file__).parent))
from copper import make_calculator

__DRIVER_NAME__ = "ltau"
__DRIVER_CLASS__ = "Driver"


class Driver(UncertainDriver):
    """Forces of the model of copper, with their uncertainty."""

    def make_calculator(self) -> UncertainCalculator:
        """Make the calculator."""
        return make_calculator()
