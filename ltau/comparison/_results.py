"""The numbers of a comparison: scores with intervals, differences in pairs, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau.comparison._bootstrap import interval, resample
from ltau.comparison._cells import Cell, Fold
from ltau.comparison._finding import REFERENCE
from ltau.comparison._observed import Observed
from ltau.comparison._rows import Floats
from ltau.comparison._scores import SCORES, score, statistics_of
from ltau.comparison._table import Table
from ltau.metrics import Estimate

__all__ = ["About", "Cost", "Results"]

_SCORE_NAMES = list(SCORES)
_LEAST_SECONDS = 1e-6  # a coarse clock may say that a small model took no time


class Cost(NamedTuple):
    """Processor time in units of that of one model: one training, one prediction."""

    fit: float
    predict: float


class About(NamedTuple):
    """What was compared, and on what."""

    target: str
    model: str
    random_state: int
    table: Table
    groups: NDArray[Any] | None
    lost: Mapping[str, str]
    skipped: Mapping[str, str]


class Results:
    """Scores, differences and costs of methods on the same folds."""

    def __init__(
        self, cells: Mapping[str, Sequence[Cell]], folds: Sequence[Fold], about: About
    ) -> None:
        self._cells, self._folds, self._about = cells, folds, about

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods that finished."""
        return tuple(self._cells)

    @property
    def lost(self) -> dict[str, str]:
        """Methods that failed, and why."""
        return dict(self._about.lost)

    @property
    def skipped(self) -> dict[str, str]:
        """Methods that need what is not installed, and what to install."""
        return dict(self._about.skipped)

    @property
    def about(self) -> About:
        """What was compared, and on what."""
        return self._about

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self._folds)

    @property
    def target_std(self) -> float:
        """Standard deviation of the target, over all test rows."""
        return float(self.observed(REFERENCE).y.std())

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Row numbers of all test rows in the table, fold after fold."""
        return np.concatenate([fold.rows for fold in self._folds])

    @cached_property
    def groups(self) -> NDArray[Any]:
        """Group of each test row; the row itself, where there are no groups."""
        return self.rows if self._about.groups is None else self._about.groups[self.rows]

    def observed(self, method: str) -> Observed:
        """Give what a method said of all test rows, fold after fold.

        Parameters
        ----------
        method : str
            One of `methods`.

        Returns
        -------
        Observed
            Arrays of shape (n_rows,), in the target's unit: ``y``, ``y_pred``, ``expected``
            (mean of the absolute error), ``low_50``, ``high_50``, ``low_90``, ``high_90``,
            ``error`` (absolute), ``crps`` and ``pit`` (of the absolute error). `rows` has the
            rows of the table that they belong to.
        """
        return self._observed[method]

    def score(self, method: str, name: str) -> Estimate:
        """Give a score with its 95 % interval.

        Parameters
        ----------
        method : str
            One of `methods`.
        name : str
            ``"coverage_50"``, ``"coverage_90"``, ``"width_90"``, ``"crps"``,
            ``"miscalibration"``, ``"spearman"`` or ``"mae"``.

        Returns
        -------
        Estimate
            The score over all test rows, with an interval by bootstrap over groups, or over
            rows where there are no groups. NaN where it is not defined.
        """
        m, s = self._place(method, name)
        return interval(self._values[m, s], self._resampled[:, m, s])

    def difference(self, method: str, reference: str, name: str) -> Estimate:
        """Compare a score of two methods, in pairs: both are resampled alike.

        Parameters
        ----------
        method, reference : str
            Two of `methods`.
        name : str
            The score, as in `score`.

        Returns
        -------
        Estimate
            Score of the method minus that of the reference, with its 95 % interval.
        """
        (m, s), (r, _) = self._place(method, name), self._place(reference, name)
        resampled = self._resampled[:, m, s] - self._resampled[:, r, s]
        return interval(self._values[m, s] - self._values[r, s], resampled)

    def best(self, name: str) -> str | None:
        """Name the method with the best score; None where no method has one.

        Parameters
        ----------
        name : str
            ``"crps"`` or ``"mae"``, of which the lowest is best, or ``"spearman"``.

        Returns
        -------
        str or None
            One of `methods`.
        """
        sign = -1 if name == "spearman" else 1
        scores = {method: sign * float(self.score(method, name)) for method in self.methods}
        defined = {method: value for method, value in scores.items() if not np.isnan(value)}
        return min(defined, key=defined.__getitem__) if defined else None

    def cost(self, method: str) -> Cost:
        """Give what a method costs.

        Parameters
        ----------
        method : str
            One of `methods`.

        Returns
        -------
        Cost
            Processor time of its training and of its prediction, relative to one training and
            one prediction of the model alone; medians over folds.
        """
        own, one = (
            np.array([(c.fit_seconds, c.predict_seconds) for c in self._cells[name]])
            for name in (method, REFERENCE)
        )
        ratios = np.maximum(own, _LEAST_SECONDS) / np.maximum(one, _LEAST_SECONDS)
        return Cost(*np.median(ratios, axis=0).tolist())

    def by_fold(self) -> list[dict[str, Any]]:
        """Give the scores of each method on each fold.

        Returns
        -------
        list of dict
            ``method``, ``fold``, each score, ``target_std`` of the training rows, and
            ``fit_seconds`` and ``predict_seconds`` of the processor.
        """
        return [
            {
                "method": method,
                "fold": number,
                **score(cell.observed),
                "target_std": float(fold.train.y.std()),
                "fit_seconds": cell.fit_seconds,
                "predict_seconds": cell.predict_seconds,
            }
            for method, cells in self._cells.items()
            for number, (cell, fold) in enumerate(zip(cells, self._folds, strict=True))
        ]

    def _place(self, method: str, name: str) -> tuple[int, int]:
        for known, wanted in ((self.methods, method), (_SCORE_NAMES, name)):
            if wanted not in known:
                raise ValueError(f"Expected one of {', '.join(map(repr, known))}, got {wanted!r}.")
        return self.methods.index(method), _SCORE_NAMES.index(name)

    @cached_property
    def _observed(self) -> dict[str, Observed]:
        return {
            method: Observed.join([cell.observed for cell in cells])
            for method, cells in self._cells.items()
        }

    @cached_property
    def _statistics(self) -> list[Any]:
        """Functions for all scores of the first method, then of the second."""
        ends = np.cumsum([len(fold.rows) for fold in self._folds])
        folds = np.split(np.arange(ends[-1]), ends[:-1])
        return [
            statistic
            for observed in self._observed.values()
            for statistic in statistics_of(observed, folds).values()
        ]

    @cached_property
    def _values(self) -> Floats:
        """Scores of shape (n_methods, n_scores)."""
        once = np.ones(len(self.rows))
        values = np.array([statistic(once) for statistic in self._statistics])
        return values.reshape(len(self.methods), len(SCORES))

    @cached_property
    def _resampled(self) -> Floats:
        """Scores of resamples, shape (n_resamples, n_methods, n_scores)."""
        resampled = resample(self._statistics, self.groups)
        return resampled.reshape(-1, len(self.methods), len(SCORES))
