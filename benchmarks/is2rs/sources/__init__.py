"""Readers of OC20's files, one layout a file, and one way in: `open_source`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.is2rs.sources import lmdb, s2ef, trajectories
from benchmarks.is2rs.sources.base import Source
from benchmarks.is2rs.sources.collection import Collection
from benchmarks.is2rs.sources.mapping import NAME, read_mapping
from benchmarks.is2rs.sources.systems import DataError

__all__ = ["Source", "open_source"]


def open_source(folder: Path, limit: int | None = None) -> Source:
    """Open all data of OC20, or in its layouts, that a folder holds.

    Parameters
    ----------
    folder : Path
        Holds, anywhere in it, trajectories of ``is2res``, folders of S2EF, LMDBs of IS2RE, or
        several of these. The folders of the files name their splits, as those of OC20's archives
        do. What OC20 has to test on is left out: its relaxed structures are not public. If
        ``oc20_data_mapping.pkl`` is there, it gives bulk, adsorbate and anomaly.
    limit : int, optional
        How many systems of each split to choose, at most: always the same ones, at random, so that
        they are like all. All by default.

    Returns
    -------
    Source
        All of it.

    Raises
    ------
    DataError
        If there is no data, the files do not fit each other, or one is damaged.
    ValueError
        If the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"Expected a limit of at least 1, got {limit}.")
    found = [*trajectories.find(folder), *s2ef.find(folder), *lmdb.find(folder, limit)]
    if not found:
        raise DataError(
            f"Expected data in {folder}, found none: neither trajectories (<sid>.extxyz.xz, with "
            "system.txt), nor S2EF (N.extxyz with N.txt), nor LMDBs of IS2RE (data.lmdb). Those "
            "of OC20's test splits do not count."
        )
    mappings = sorted(folder.rglob(NAME))
    if len(mappings) > 1:
        raise DataError(f"Expected one {NAME} in {folder}, got {len(mappings)}.")
    return Collection(found, read_mapping(mappings[0]) if mappings else None, limit)
