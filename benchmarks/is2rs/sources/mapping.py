"""What the slabs and adsorbates are: OC20's ``oc20_data_mapping.pkl``.

It is a pickled dict from the name of a system to a dict with, among others, ``bulk_mpid``,
``bulk_symbols``, ``ads_symbols`` and ``anomaly``
(https://github.com/FAIR-Chem/fairchem/blob/main/docs/core/datasets/oc20.md).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness.files import whole
from benchmarks.is2rs.sources.systems import DataError, System
from benchmarks.is2rs.sources.unpickling import read_builtins

__all__ = ["NAME", "Entry", "read_mapping", "write_mapping"]

NAME = "oc20_data_mapping.pkl"


class Entry(NamedTuple):
    """What is known of a system; see `System`."""

    bulk: str
    adsorbate: str
    anomaly: int


def read_mapping(path: Path) -> dict[str, Entry]:
    """Read a mapping without trusting it.

    Parameters
    ----------
    path : Path
        The file. That of OC20 has 1,281,041 systems.

    Returns
    -------
    dict of str to Entry
        By the name of the system. The bulk is named by its ``bulk_mpid``, or if that is empty by
        its ``bulk_symbols``.

    Raises
    ------
    DataError
        If the file cannot be read, is damaged, or asks for more than Python's own types.
    """
    try:
        mapping = read_builtins(path.read_bytes())
    except (OSError, DataError) as error:
        raise DataError(f"{path}: {error}") from error
    if not isinstance(mapping, dict):
        raise DataError(f"Expected a dict in {path}, got {type(mapping).__name__}.")
    return {sid: _entry(values, f"{path}, {sid!r:.40}") for sid, values in mapping.items()}


def _entry(values: Any, where: str) -> Entry:
    try:
        bulk = values["bulk_mpid"] or values["bulk_symbols"]
        entry = Entry(bulk, values["ads_symbols"], values["anomaly"])
    except (LookupError, TypeError) as error:
        raise DataError(f"{where}: expected a dict with bulk, adsorbate and anomaly.") from error
    if [type(value) for value in entry] != [str, str, int] or not 0 <= entry.anomaly <= 4:
        raise DataError(f"{where}: expected two names and an anomaly from 0 to 4, got others.")
    return entry


def write_mapping(systems: Iterable[System], path: Path) -> None:
    """Write a mapping that `read_mapping` reads, whole or not at all.

    The class of all systems is 0, OC20's for slabs of metals alone.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    mapping = {
        system.sid: {
            "bulk_mpid": "",
            "bulk_symbols": system.bulk,
            "ads_symbols": system.adsorbate,
            "anomaly": system.anomaly,
            "class": 0,
        }
        for system in systems
    }
    with whole(path) as partial, partial.open("wb") as file:
        pickle.dump(mapping, file)
