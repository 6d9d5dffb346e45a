"""Measured numbers in Markdown, and why one is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from benchmarks.harness.tables import markdown_table
from benchmarks.is2rs.measuring.evaluation import Measured

__all__ = ["cell", "table"]


def table(
    corner: str,
    columns: Mapping[str, Mapping[str, Measured]],
    title: Callable[[str], str] = str,
    digits: int = 2,
) -> Iterator[str]:
    """Lay out a table, unless it would be empty, then say why numbers or intervals are missing.

    Parameters
    ----------
    corner : str
        What the rows are.
    columns : mapping of str to mapping of str to Measured
        By the heading of the column, then by row; rows may be missing.
    title : callable, optional
        Writes the heading of a row; by default as it is.
    digits : int, default=2
        Decimals.

    Returns
    -------
    iterator of str
        One or two blocks of Markdown.
    """
    rows = dict.fromkeys(row for column in columns.values() for row in column)
    if any(each.value is not None for column in columns.values() for each in column.values()):
        yield markdown_table(
            [corner, *columns],
            (
                [title(row), *(cell(column.get(row), digits) for column in columns.values())]
                for row in rows
            ),
        )
    missing: dict[str, list[tuple[str, str]]] = {}
    for name, column in columns.items():
        for row, measured in column.items():
            if measured.reason:
                missing.setdefault(measured.reason, []).append((name, row))
    if missing:
        yield "\n".join(
            f"- {_where(cells, list(columns), list(rows))}: {reason}"
            for reason, cells in missing.items()
        )


def cell(measured: Measured | None, digits: int = 2) -> str:
    """Write a number with its interval, as in "0.81 [0.70, 0.90]"; "-" where there is none."""
    if measured is None or measured.value is None:
        return "-"
    if measured.low is None:
        return f"{measured.value:.{digits}f}"
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(*measured[:3], d=digits)


def _where(cells: Iterable[tuple[str, str]], columns: list[str], rows: list[str]) -> str:
    """Name the columns of some cells where these are whole, and otherwise the rows."""
    cells = set(cells)
    in_columns = [name for name in columns if any((name, row) in cells for row in rows)]
    if len(cells) == len(in_columns) * len(rows):
        return ", ".join(in_columns)
    return ", ".join(row for row in rows if any((name, row) in cells for name in columns))
