"""Tables of measurements: means over folds with their standard errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["Mean", "markdown_table"]


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
        """Print as "mean ± error", without what there is none of."""
        if np.isnan(self.value):
            return "-"
        if np.isnan(self.error):
            return f"{self.value:.{digits}f}"
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table in Markdown, its first column to the left and the others to the right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))
