"""What the benchmark writes: all measurements, tables, and a figure with fitted exponents."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy import stats

from benchmarks.harness.figures import COLORS, MARKERS, save, without_window
from benchmarks.harness.files import write_text
from benchmarks.harness.tables import markdown_table
from benchmarks.speed.scaling.cell import N_QUERIES

__all__ = ["PowerLaw", "fit_power_law", "markdown", "write"]

Cell = Mapping[str, Any]

_RANGE = 100  # an exponent is of the sizes from the largest down to this fraction of it
_ONCE = ("fit", "building the index", "own distances", "save", "load")
_QUERIES = {
    "predict": "predict",
    "predict_pdf": "predict_pdf",
    "bare search": "faiss, the same index",
    "exact search": "faiss, exact",
    "scikit-learn brute": "scikit-learn, brute",
    "scikit-learn kd_tree": "scikit-learn, k-d tree",
}
_WITHOUT_INDEX = ("exact search", "scikit-learn brute", "scikit-learn kd_tree")


class PowerLaw(NamedTuple):
    """A power law ``factor * n**exponent``, and the standard error of its exponent."""

    exponent: float
    error: float
    factor: float

    def format(self, sign: str = "±") -> str:
        """Print the exponent, with its error if that is known."""
        error = "" if np.isnan(self.error) else f" {sign} {self.error:.2f}"
        return f"{self.exponent:.2f}{error}"


def fit_power_law(sizes: ArrayLike, times: ArrayLike) -> PowerLaw:
    """Fit a line to the logarithms, by least squares; the error is NaN for two points."""
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(times, float))
    line = stats.linregress(x, y)
    error = line.stderr if len(x) > 2 else np.nan
    return PowerLaw(float(line.slope), float(error), float(np.exp(line.intercept)))


def write(cells: Sequence[Cell], output: Path) -> str:
    """Write ``results.json``, ``results.md`` and ``scaling.png``; return the Markdown."""
    packages = ("ltau", "faiss-cpu", "numpy", "scikit-learn")
    about = {"python": platform.python_version()} | {name: version(name) for name in packages}
    results = json.dumps({"versions": about, "cells": list(cells)}, indent=1)
    write_text(output / "results.json", results)
    text = markdown(cells)
    write_text(output / "results.md", text)
    draw(cells, output / "scaling.png")
    return text


def markdown(cells: Sequence[Cell]) -> str:
    """Lay out two tables for each width: what is done once, and what a query takes."""
    parts = []
    for width in widths(cells):
        of_width = [cell for cell in cells if cell["width"] == width]
        parts += [f"## {width} features, once (seconds)", _once(of_width)]
        parts += [f"## {width} features, a query (microseconds)", _each(of_width)]
    return "\n\n".join(parts) + "\n"


def _once(cells: Sequence[Cell]) -> str:
    rows = [
        [
            f"{cell['n']:,}",
            cell["index"],
            *(_number(seconds(cell, name)) for name in _ONCE),
            f"{cell['peak_bytes']['fit'] / 1e6:,.0f}",
        ]
        for cell in cells
    ]
    rows.append(["exponent", "", *(_exponent(cells, name) for name in _ONCE), ""])
    return markdown_table(["Samples", "Index", *_ONCE, "Peak (MB)"], rows)


def _each(cells: Sequence[Cell]) -> str:
    rows = [
        [
            f"{cell['n']:,}",
            _number(microseconds(cell, "predict")),
            *(_number(ratio(cell, name, "predict")) for name in list(_QUERIES)[1:]),
            f"{cell['recall']:.4f}",
            f"{100 * (cell['crps'] / cell['crps_exact'] - 1):+.2f}",
        ]
        for cell in cells
    ]
    rows.append(["exponent", *(_exponent(cells, name) for name in _QUERIES), "", ""])
    names = [f"{label} / predict" for label in list(_QUERIES.values())[1:]]
    return markdown_table(["Samples", "predict", *names, "Recall", "CRPS lost (%)"], rows)


def seconds(cell: Cell, name: str) -> float | None:
    """Median processor time of an operation, or None where it was not measured."""
    if name == "building the index":
        fit, without = (np.median(cell["seconds"][fit]) for fit in ("fit", "fit, exact index"))
        built = float(fit - without)
        return built if built > 0.3 * fit else None  # the exact index has nothing to build
    times = cell["seconds"].get(name)
    return None if times is None else float(np.median(times))


def microseconds(cell: Cell, name: str) -> float | None:
    """Median processor time of a query."""
    time = seconds(cell, name)
    return None if time is None else 1e6 * time / N_QUERIES


def ratio(cell: Cell, name: str, other: str) -> float | None:
    """Median, over rounds, of the time of one operation over that of another beside it."""
    times = cell["seconds"].get(name)
    if times is None:
        return None
    rounds = zip(times, cell["seconds"][other], strict=False)  # slow ones have fewer
    return float(np.median([time / beside for time, beside in rounds]))


def law(cells: Sequence[Cell], name: str) -> tuple[list[int], PowerLaw] | None:
    """Fit the growth of an operation's time, over the largest sizes; None of a single one.

    Only sizes with the kind of index that the largest one has, where the operation uses it.
    """
    points = [(cell, time) for cell in cells if (time := seconds(cell, name)) is not None]
    alike = [
        (cell["n"], time)
        for cell, time in points
        if cell["n"] * _RANGE >= points[-1][0]["n"]
        and (name in _WITHOUT_INDEX or cell["index"] == points[-1][0]["index"])
    ]
    if len(alike) < 2:
        return None
    sizes, times = zip(*alike, strict=True)
    return list(sizes), fit_power_law(sizes, times)


def _exponent(cells: Sequence[Cell], name: str) -> str:
    found = law(cells, name)
    return "-" if found is None else found[1].format()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw times against sizes, a row a width, with the fitted lines."""
    without_window()
    rows = widths(cells)
    figure, axes = plt.subplots(
        len(rows),
        2,
        figsize=(11.5, 3.6 * len(rows)),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for width, (once, each) in zip(rows, axes, strict=True):
        of_width = [cell for cell in cells if cell["width"] == width]
        _lines(once, of_width, {name: name for name in _ONCE}, 1.0)
        _lines(each, of_width, _QUERIES, 1e6 / N_QUERIES)
        once.set(ylabel="Processor time (s)", title=f"Once, {width} features")
        each.set(ylabel="Processor time of a query (µs)", title=f"A query, {width} features")
    for ax in axes[-1]:
        ax.set_xlabel("Training samples, N")
    save(figure, path)


def _lines(ax: Axes, cells: Sequence[Cell], names: Mapping[str, str], unit: float) -> None:
    """Draw the points of each operation, and its power law where it was fitted."""
    for (name, label), color, marker in zip(
        names.items(), cycle(COLORS), cycle(MARKERS), strict=False
    ):
        points = [(cell["n"], time) for cell in cells if (time := seconds(cell, name)) is not None]
        if not points:
            continue
        found = law(cells, name)
        if found is not None:
            sizes, growth = found
            exponent = growth.format(r"\pm")
            label = f"{label}: $N^{{{exponent}}}$"
            ends = np.array([sizes[0], sizes[-1]], float)
            ax.plot(ends, unit * growth.factor * ends**growth.exponent, color=color, linewidth=1.2)
        n, times = np.transpose(points)
        ax.plot(n, unit * times, marker, color=color, markersize=5, label=label)
    ax.set(xscale="log", yscale="log")
    ax.grid(color="0.92")
    ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def widths(cells: Sequence[Cell]) -> list[int]:
    """Give the widths, in the order of the cells."""
    return list(dict.fromkeys(cell["width"] for cell in cells))
