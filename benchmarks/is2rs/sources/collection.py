"""Several sources as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.is2rs.sources.base import Source
from benchmarks.is2rs.sources.folders import choose
from benchmarks.is2rs.sources.mapping import Entry
from benchmarks.is2rs.sources.systems import DataError, System

__all__ = ["Collection"]


class Collection(Source):
    """Several sources as one.

    Parameters
    ----------
    sources : sequence of Source
        With systems of different names.
    mapping : mapping of str to Entry, optional
        Bulk, adsorbate and anomaly of each system, in place of what the sources say.
    limit : int, optional
        How many systems of each split to choose, at most: always the same ones, at random, so that
        they are like all. All by default.

    Raises
    ------
    DataError
        If two sources have the same system, or the mapping lacks one.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        mapping: Mapping[str, Entry] | None = None,
        limit: int | None = None,
    ) -> None:
        homes: dict[str, Source] = {}
        splits: dict[str, list[str]] = {}
        for source in sources:
            for split, names in source.splits().items():
                splits.setdefault(split, []).extend(names)
                for sid in names:
                    if sid in homes:
                        raise DataError(
                            f"Expected each system once, got {sid} in two places ({split}). "
                            "Give a folder with but one of them."
                        )
                    homes[sid] = source
        self._splits = {split: choose(names, limit) for split, names in splits.items()}
        chosen = [sid for names in self._splits.values() for sid in names]
        self._homes = {sid: homes[sid] for sid in chosen}
        if mapping is not None:
            missing = [sid for sid in chosen if sid not in mapping]
            if missing:
                raise DataError(f"The mapping lacks {len(missing)} systems, {missing[0]} first.")
            mapping = {sid: mapping[sid] for sid in chosen}
        self._mapping = mapping

    def splits(self) -> dict[str, list[str]]:
        """Name the systems of each split."""
        return {split: list(names) for split, names in self._splits.items()}

    def load(self, sid: str) -> System:
        """Read one system."""
        if sid not in self._homes:
            raise DataError(f"Expected one of {len(self._homes)} systems, got {sid!r}.")
        system = self._homes[sid].load(sid)
        if self._mapping is None:
            return system
        return replace(system, **self._mapping[sid]._asdict())
