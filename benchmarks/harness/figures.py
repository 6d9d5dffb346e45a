"""What the figures of all benchmarks share: colours, markers, axes, and being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.harness.tables import Mean
from ltau.plotting import OKABE_ITO

__all__ = ["COLORS", "MARKERS", "dots", "label_log_axis", "save", "without_window"]

COLORS = (*OKABE_ITO, "#000000", "#999999")  # black and grey for what is more than the palette has
MARKERS = ("o", "s", "D", "v", "^", "P", "X", "*", "h")  # one more, so that no pair comes twice


def without_window() -> None:
    """Draw into files, on a machine without a screen too."""
    plt.switch_backend("Agg")


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, close it, and give its path."""
    figure.savefig(path, dpi=140)
    plt.close(figure)
    return path


def label_log_axis(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 3, 10, 30 and so on, with plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def dots(ax: Axes, measured: Mapping[str, Sequence[Mean]], sets: Sequence[str]) -> None:
    """Draw a row a set and a dot a method, with bars of one standard error."""
    offsets = np.linspace(-0.35, 0.35, len(measured))
    for (name, means), offset, color, marker in zip(
        measured.items(), offsets, cycle(COLORS), cycle(MARKERS), strict=False
    ):
        ax.errorbar(
            [mean.value for mean in means],
            np.arange(len(sets)) + offset,
            xerr=[mean.error for mean in means],
            fmt=marker,
            color=color,
            markersize=4.5,
            elinewidth=1,
            label=name,
        )
    for line in np.arange(len(sets) - 1) + 0.5:
        ax.axhline(line, color="0.9", linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(sets)), sets)
    ax.set_ylim(len(sets) - 0.5, -0.5)
