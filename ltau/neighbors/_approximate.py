"""What the approximate indices share: an effort, and its tuning to a recall."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

from ltau.neighbors._base import NeighborIndex, Vectors
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._partition import Partition

__all__ = ["ApproximateIndex", "CellIndex"]

_FINENESS = 8  # how near, relatively, the effort comes to the least one


class ApproximateIndex(NeighborIndex):
    """An index that finds more of the true neighbours the more effort it makes."""

    @classmethod
    @abstractmethod
    def build(cls, vectors: Vectors, random_state: int | None = 0) -> Self:
        """Build the index over `vectors`, which it takes over and may put into another order."""

    @property
    @abstractmethod
    def effort(self) -> int:
        """How much of the index a search visits."""

    @effort.setter
    @abstractmethod
    def effort(self, value: int) -> None: ...

    @property
    @abstractmethod
    def max_effort(self) -> int:
        """The effort beyond which nothing is left to visit."""

    def tune(self, held_out: HeldOut, recall: float) -> bool:
        """Find the least effort that reaches a recall.

        The effort is doubled until it does, and then halved in on from below.

        Parameters
        ----------
        held_out : HeldOut
            What the recall is measured on.
        recall : float
            Share of the true neighbours to find.

        Returns
        -------
        bool
            Whether the recall was reached; `recall` says what was.
        """
        too_low, effort = 0, 1
        while not self._reaches(effort, held_out, recall):
            if effort >= self.max_effort:
                return False
            too_low, effort = effort, min(2 * effort, self.max_effort)
        while effort - too_low > max(1, effort // _FINENESS):
            middle = (too_low + effort) // 2
            if self._reaches(middle, held_out, recall):
                effort = middle
            else:
                too_low = middle
        return self._reaches(effort, held_out, recall)

    def _reaches(self, effort: int, held_out: HeldOut, recall: float) -> bool:
        self.effort = effort
        self.recall = held_out.recall(self)
        return self.recall >= recall


class CellIndex(ApproximateIndex):
    """An approximate index that visits the cells of a partition nearest to a query."""

    partition: Partition
    searcher: Any

    @property
    def effort(self) -> int:
        """Number of cells searched."""
        return int(self.searcher.nprobe)

    @effort.setter
    def effort(self, value: int) -> None:
        self.searcher.nprobe = value

    @property
    def max_effort(self) -> int:
        """Number of cells."""
        return len(self.partition.sizes)
