"""What every source of systems can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from benchmarks.is2rs.sources.systems import System

__all__ = ["Source"]


class Source(ABC):
    """Where systems come from: files of OC20, or others in their layout.

    A source can be sent to another process: it keeps no file open.
    """

    @abstractmethod
    def splits(self) -> dict[str, list[str]]:
        """Name the systems of each split.

        Returns
        -------
        dict of str to list of str
            By split (``"train"``, ``"val_id"``, ... or ``"all"``), the names of its systems,
            those that lie together in a file one after the other.
        """

    @abstractmethod
    def load(self, sid: str) -> System:
        """Read one system.

        Parameters
        ----------
        sid : str
            One of the names of `splits`.

        Returns
        -------
        System
            The system.

        Raises
        ------
        DataError
            If its file is damaged or incomplete; it says which file, and how.
        """
