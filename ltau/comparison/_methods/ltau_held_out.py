"""LTAU on the errors of held-out rows."""

from __future__ import annotations

from typing import Self

from ltau.comparison._methods.ltau import LTAU
from ltau.comparison._rows import Rows

__all__ = ["LTAUHeldOut"]


class LTAUHeldOut(LTAU):
    """LTAU on the errors of held-out rows, logged after each epoch."""

    name = "LTAU, held-out"

    def fit(self, rows: Rows) -> Self:
        """Train on four fifths; fit the errors of the last fifth."""
        train, held_out = self.hold_out(rows)
        self.network = self.make_model()
        self.network.fit(train.X, train.y, held_out=(held_out.X, held_out.y))
        return self.learn(held_out, self.network.held_out_errors_)
