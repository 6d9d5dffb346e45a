"""Text that may be packed, and the tables of names and energies that OC20 keeps as text."""

from __future__ import annotations

import lzma
import math
from pathlib import Path

from benchmarks.is2rs.sources.systems import DataError

__all__ = ["read_table", "read_text"]

_MAX_BYTES = 2**28  # five times what the largest files of OC20 unpack to
_BYTES_PER_LINE = 16  # at least, of a file that is large: a line takes some sixty bytes more
_SMALL = 2**20


def read_text(path: Path) -> str:
    """Read a file, and unpack it if its name ends in ``.xz``.

    Raises
    ------
    DataError
        If it cannot be read, is damaged or cut short, or is larger than any of OC20's.
    """
    try:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(data) > _MAX_BYTES:
        raise DataError(f"Expected {path} to unpack to no more than {_MAX_BYTES} bytes.")
    if len(data) > _SMALL and data.count(b"\n") * _BYTES_PER_LINE > len(data):
        raise DataError(f"Expected {path} to have lines of {_BYTES_PER_LINE} bytes on average.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def read_table(path: Path, n_columns: int) -> list[tuple[str, float | None]]:
    """Read lines that begin with the name of a system and end with its reference energy.

    Parameters
    ----------
    path : Path
        Lines of ``sid,reference_energy``, or of ``sid,frame,reference_energy``; no header.
    n_columns : int
        2 or 3.

    Returns
    -------
    list of tuple of (str, float or None)
        The name, and the energy in eV; None where the file has exactly 0, which stands for an
        unknown one.

    Raises
    ------
    DataError
        If the file cannot be read, or a line is another.
    """
    lines = read_text(path).rstrip().splitlines()
    return [_row(line, n_columns, f"{path}, line {k}") for k, line in enumerate(lines, 1)]


def _row(line: str, n_columns: int, where: str) -> tuple[str, float | None]:
    columns = [column.strip() for column in line.split(",")]
    try:
        energy = float(columns[-1])
    except ValueError:
        energy = math.nan
    if len(columns) != n_columns or not columns[0] or not math.isfinite(energy):
        raise DataError(
            f"{where}: expected {n_columns} columns, a name first and an energy last, "
            f"got {line[:80]!r}."
        )
    return columns[0], energy or None
