"""Tables in CSV files: columns of text, which are numbers where all of them are."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["CSVTable", "read_csv"]

# What stands for a missing value, as pandas reads it.
_MISSING = {"", "#n/a", "<na>", "n/a", "na", "nan", "none", "null"}


class CSVTable:
    """The columns of a CSV file, as text.

    Parameters
    ----------
    path : Path
        The file, for messages.
    columns : dict of str to list of str
        Names, and a text for each row.
    """

    def __init__(self, path: Path, columns: dict[str, list[str]]) -> None:
        self.path = path
        self._columns = columns

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self._columns)

    def text(self, name: str) -> NDArray[np.str_]:
        """Give a column as text.

        Raises
        ------
        ValueError
            If there is no such column, or a value is missing.
        """
        values = self._values(name)
        self._refuse_missing(name, values)
        return np.array(values)

    def numbers(self, name: str, *, empty: float | None = None) -> NDArray[np.float64]:
        """Give a column as numbers.

        Parameters
        ----------
        name : str
            The column.
        empty : float, optional
            What stands for an empty cell; by default none may be.

        Raises
        ------
        ValueError
            If there is no such column, a value is missing, or one is no number.
        """
        values = self._values(name)
        if empty is None:
            self._refuse_missing(name, values)
        else:
            values = [text or str(empty) for text in values]
        for row, text in enumerate(values, start=1):
            if _number(text) is None:
                raise ValueError(
                    f"Expected numbers in column {name!r} of {self.path.name}, got {text!r} in "
                    f"row {row}."
                )
        return np.array(values, np.float64)

    def column(self, name: str) -> NDArray[np.float64] | NDArray[np.str_]:
        """Give a column as numbers if all are, as text if not."""
        if all(_number(text) is not None for text in self._values(name)):
            return self.numbers(name)
        return self.text(name)

    def _values(self, name: str) -> list[str]:
        if name not in self._columns:
            raise ValueError(
                f"Expected a column {name!r} in {self.path.name}, got {', '.join(self.names)}."
            )
        return self._columns[name]

    def _refuse_missing(self, name: str, values: list[str]) -> None:
        missing = [row for row, text in enumerate(values, start=1) if text.lower() in _MISSING]
        if missing:
            raise ValueError(
                f"Expected column {name!r} of {self.path.name} without missing values, got "
                f"{len(missing)} missing of {len(values)}, the first in row {missing[0]}. Leave "
                "these rows out, or fill them in."
            )


def read_csv(path: Path) -> CSVTable:
    """Read a CSV file whose first line names the columns.

    Parameters
    ----------
    path : Path
        The file, in UTF-8. Values are separated by commas, or by semicolons or tabs where the
        first line has more of these.

    Returns
    -------
    CSVTable
        The columns.

    Raises
    ------
    ValueError
        If there are no rows, a name comes twice, or a row has another length than the first
        line.
    OSError
        If the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            separator = max(",;\t", key=first.count)
            header, rows = _rows(path, csv.reader(file, delimiter=separator))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"Expected a CSV file in UTF-8, got {path.name}: {error}.") from error
    columns = [list(column) for column in zip(*rows, strict=True)]
    return CSVTable(path, dict(zip(header, columns, strict=True)))


def _rows(path: Path, lines: Iterable[list[str]]) -> tuple[list[str], list[list[str]]]:
    stripped = [[text.strip() for text in line] for line in lines if any(map(str.strip, line))]
    if len(stripped) < 2:
        raise ValueError(f"Expected a line of names and rows in {path.name}, got no rows.")
    header, *rows = stripped
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise ValueError(f"Expected columns with different names, got {sorted(twice)} twice.")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(
                f"Expected {len(header)} values in each row of {path.name}, got {len(row)} in "
                f"row {number}."
            )
    return header, rows


def _number(text: str) -> float | None:
    """Read a number; None if it is none. Underscores, which Python allows, are none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
