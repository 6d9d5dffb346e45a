"""What all displays share: axes to draw in, colours, labels, reference lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ltau._inputs.numbers import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe and Ito's colours that everybody can tell apart (https://jfly.uni-koeln.de/color/),
# without black, which is for references, and yellow, which is too faint for a line.
OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


class Display:
    """What all displays are: they print short."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def ensure_axes(ax: Axes | None) -> Axes:
    """Return `ax`, or new axes in a figure that leaves room for all labels."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install ltau[plot]") from error
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def next_color(ax: Axes) -> str:
    """Find the colour that the axes have used least, the first of those in the palette."""
    from matplotlib.colors import to_hex

    used = [to_hex(line.get_color()) for line in ax.lines]
    used += [to_hex(patch.get_edgecolor()) for patch in ax.patches]
    return min(OKABE_ITO, key=used.count)


def with_unit(label: str, unit: str | None) -> str:
    """Append the unit, if there is one."""
    return label if unit is None else f"{label} ({unit})"


def draw_reference(ax: Axes, x: FloatArray, y: FloatArray, *, label: str, linestyle: str) -> None:
    """Draw a grey line to compare with, unless another display has drawn the same one."""
    if any(np.array_equal(line.get_xydata(), np.column_stack([x, y])) for line in ax.lines):
        return
    known = label in [line.get_label() for line in ax.lines]
    ax.plot(x, y, color="0.4", ls=linestyle, lw=1, label=None if known else label)


def label_log_axis(axis: Axis) -> None:
    """Label a log axis with plain numbers, and as many of them as there is room for."""
    from matplotlib import rcParams

    def minor_label(value: float, _: float) -> str:
        low, high = axis.get_view_interval()
        digit = f"{value:e}"[0]
        shown = "123456789" if high < 5 * low else "25" if high < 100 * low else ""
        return f"{value:g}" if digit in shown else ""

    longer = rcParams["xtick.major.size"] - rcParams["xtick.minor.size"]  # as those of y
    pad = rcParams["xtick.major.pad"] + longer
    axis.set_tick_params(which="minor", pad=pad)  # in line with the major labels
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(minor_label)
