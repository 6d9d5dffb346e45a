"""LTAU on the errors of held-out rows."""

from __future__ import annotations

from typing import Self

from benchmarks.harness.data import Rows
from benchmarks.methods.learning.ltau import LTAU

__all__ = ["LTAUHeldOut"]


class LTAUHeldOut(LTAU):
    """LTAU on the errors of held-out rows, logged after each epoch."""

    def fit(self, given: Rows) -> Self:
        """Train on four fifths; fit the errors of the last fifth."""
        train, held_out = self.hold_out(given)
        self.network = self.make_network().fit(*train, held_out=held_out)
        return self.learn(held_out, self.network.held_out_errors_)
