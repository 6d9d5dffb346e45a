"""Where the intervals of a method hold least: slices of the table by one column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau.comparison._results import Results
from ltau.comparison._rows import Floats
from ltau.comparison._table import Column

__all__ = ["Failure", "failures", "lowest_by_chance", "slices"]

_N_PARTS = 5  # of a column of numbers
_FEWEST_ROWS = 30  # of a slice: the coverage of fewer says little
_N_SHUFFLES = 200


class Slice(NamedTuple):
    """Some of the test rows, by what they have in common."""

    name: str
    rows: NDArray[np.bool_]


class Failure(NamedTuple):
    """A slice with the share of targets inside the 90 % intervals."""

    where: str
    n_rows: int
    coverage: float


def slices(results: Results) -> list[Slice]:
    """Cut the test rows by each column: fifths of numbers, and categories.

    Slices by the target itself would mislead: even right intervals hold fewer of the targets
    that turn out extreme.
    """
    return [
        part
        for column in results.about.table.columns
        for part in _cut(column, column.values[results.rows])
        if part.rows.sum() >= _FEWEST_ROWS and not part.rows.all()
    ]


def failures(results: Results, method: str) -> list[Failure]:
    """Give the coverage of each slice, the lowest first."""
    inside = results.observed(method).inside_90
    found = [
        Failure(part.name, int(part.rows.sum()), float(inside[part.rows].mean()))
        for part in slices(results)
    ]
    return sorted(found, key=lambda failure: failure.coverage)


def lowest_by_chance(results: Results, method: str) -> float:
    """Expect the lowest coverage of all slices if misses fell on any row alike.

    The lowest of many shares lies below the overall share even then. Misses are shuffled among
    the rows.
    """
    masks = np.array([part.rows for part in slices(results)], np.float64)
    inside = results.observed(method).inside_90.astype(np.float64)
    rng = np.random.default_rng(0)
    shuffled = np.stack([rng.permutation(inside) for _ in range(_N_SHUFFLES)], axis=1)
    shares = masks @ shuffled / masks.sum(axis=1, keepdims=True)
    return float(shares.min(axis=0).mean())


def _cut(column: Column, values: Floats) -> list[Slice]:
    if column.categories:
        return [
            Slice(f"{column.name} = {name}", values == code)
            for code, name in enumerate(column.categories)
        ]
    if len(np.unique(values)) <= _N_PARTS:
        parts = np.unique(values, return_inverse=True)[1]
    else:
        ends = np.quantile(values, np.linspace(0, 1, _N_PARTS + 1)[1:-1])
        parts = np.searchsorted(ends, values, side="right")
    masks = [parts == part for part in np.unique(parts)]
    return [Slice(f"{column.name} {_range(values[rows])}", rows) for rows in masks]


def _range(values: Floats) -> str:
    """Say from where to where values lie."""
    low, high = values.min(), values.max()
    return f"= {low:.4g}" if low == high else f"from {low:.4g} to {high:.4g}"
