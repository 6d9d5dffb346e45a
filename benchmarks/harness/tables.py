"""Tables and figures of measurements: means over folds with their standard errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["OKABE_ITO", "Mean", "dots", "markdown_table"]

# Colours that the colour-blind can tell apart, after Okabe and Ito (2008), and a shape for each.
OKABE_ITO = (
    "#D55E00",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#0072B2",
    "#009E73",
    "#000000",
    "#999999",
)
_MARKERS = ("o", "s", "D", "v", "^", "P", "X", "*")


class Mean(NamedTuple):
    """The mean of `n` measurements, with its standard error."""

    value: float
    error: float
    n: int

    @classmethod
    def of(cls, values: ArrayLike) -> Mean:
        """Average some measurements; NaN if any is."""
        array = np.asarray(values, dtype=np.float64)
        error = array.std(ddof=1) / np.sqrt(len(array)) if len(array) > 1 else np.nan
        return cls(float(array.mean()), float(error), len(array))

    @classmethod
    def over_sets(cls, means: Sequence[Mean]) -> Mean:
        """Average the means of independent sets, each set with the same weight."""
        error = np.sqrt(sum(mean.error**2 for mean in means)) / len(means)
        value = np.mean([mean.value for mean in means])
        return cls(float(value), float(error), sum(mean.n for mean in means))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student's confidence interval."""
        reach = stats.t.ppf((1 + level) / 2, self.n - 1) * self.error
        return self.value - reach, self.value + reach

    def format(self, digits: int = 2) -> str:
        """Print as "mean ± error", or as "-" if there is none."""
        if np.isnan(self.value):
            return "-"
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table in Markdown, its first column to the left and the others to the right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))


def dots(ax: Axes, measured: Mapping[str, Sequence[Mean]], sets: Sequence[str]) -> None:
    """Draw a row a set and a dot a method, with bars of one standard error."""
    offsets = np.linspace(-0.35, 0.35, len(measured))
    for (name, means), offset, color, marker in zip(
        measured.items(), offsets, OKABE_ITO, _MARKERS, strict=False
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
