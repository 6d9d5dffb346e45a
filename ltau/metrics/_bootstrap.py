"""Confidence intervals for samples that are not independent of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.labels import as_labels

__all__ = ["Estimate", "UndefinedMetricError", "bootstrap_estimate"]


class UndefinedMetricError(ValueError):
    """The metric has no value on these samples, though they are valid.

    Examples
    --------
    >>> from ltau.metrics import auroc
    >>> auroc([True, True], [0.3, 0.1])
    Traceback (most recent call last):
    ...
    ltau.metrics._bootstrap.UndefinedMetricError: Expected both classes in positive, got only True.
    """


class Rows(Protocol):
    """Anything that holds one row per sample and takes an array of row numbers."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...


class Estimate(float):
    """A float with the confidence interval around it.

    Parameters
    ----------
    value : float
        The point estimate.
    low, high : float
        Ends of the interval.
    level : float
        Confidence level of the interval, in (0, 1).

    Attributes
    ----------
    low, high : float
        Ends of the interval.
    level : float
        Confidence level of the interval.

    Examples
    --------
    >>> from ltau.metrics import Estimate
    >>> estimate = Estimate(0.612, low=0.58, high=0.641, level=0.95)
    >>> estimate
    0.612 [0.580, 0.641]
    >>> estimate.high, estimate > 0.6
    (0.641, True)
    """

    __slots__ = ("high", "level", "low")

    low: float
    high: float
    level: float

    def __new__(cls, value: float, low: float, high: float, level: float) -> Self:
        self = super().__new__(cls, value)
        self.low = low
        self.high = high
        self.level = level
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[float, float, float, float]]:
        return type(self), (float(self), self.low, self.high, self.level)

    def __repr__(self) -> str:
        return f"{self:#.3g} [{self.low:#.3g}, {self.high:#.3g}]"


def bootstrap_estimate(
    statistic: Callable[..., float],
    *rows: Rows,
    groups: ArrayLike,
    level: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.Generator | None = 0,
) -> Estimate:
    """Compute a statistic and its percentile cluster-bootstrap interval.

    Whole groups are drawn with replacement, as many as there are. Samples of one
    group (atoms of a frame, frames of a trajectory) resemble each other; drawn
    one by one they would make the interval too narrow.

    Parameters
    ----------
    statistic : callable
        Takes `rows` and returns a float, as most metrics of this package do.
    *rows : array-like of shape (n_samples, ...) or ErrorDistribution of n_samples rows
        What the statistic takes, with one row per sample. Data frames are taken by the place
        of their rows, and keep their type.
    groups : array-like of shape (n_samples,)
        Group label of each sample, of any dtype that sorts.
    level : float, default=0.95
        Confidence level, in (0, 1).
    n_resamples : int, default=1000
        Number of bootstrap resamples.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the resampling, as for `numpy.random.default_rng`.

    Returns
    -------
    Estimate
        The statistic of all samples, with the interval.

    Raises
    ------
    ValueError
        If there are fewer than 2 groups, lengths differ, or `level` or
        `n_resamples` is out of range.
    UndefinedMetricError
        If the statistic is undefined on all samples together, or on more than
        half of the resamples.

    Notes
    -----
    A statistic says that it is undefined on a resample (an AUROC where all drawn
    samples are of one class, say) by raising `UndefinedMetricError` or returning
    NaN. Such resamples are left out: the interval is then conditional on the
    statistic being defined.

    The interval describes how the statistic varies from one set of groups to
    another. It carries the statistic's own small-sample bias, and with fewer
    than about 20 groups it tends to be too narrow.

    References
    ----------
    .. [1] C. A. Field and A. H. Welsh, "Bootstrapping clustered data", J. R. Stat.
       Soc. B 69, 369-390 (2007). doi:10.1111/j.1467-9868.2007.00593.x

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.metrics import bootstrap_estimate
    >>> errors = np.array([0.1, 0.1, 0.4, 0.4, 0.2, 0.2])
    >>> frames = ["a", "a", "b", "b", "c", "c"]
    >>> bootstrap_estimate(np.mean, errors, groups=frames)
    0.233 [0.100, 0.400]
    """
    if not 0 < level < 1:
        raise ValueError(f"Expected level in (0, 1), got {level!r}.")
    if n_resamples < 1:
        raise ValueError(f"Expected n_resamples >= 1, got {n_resamples!r}.")
    rows = tuple(np.asarray(row) if isinstance(row, list | tuple) else row for row in rows)
    clusters = _Clusters(as_labels(groups, "groups"), rows)
    value = _evaluate(statistic, *rows)
    rng = np.random.default_rng(random_state)
    resampled = _resample(statistic, rows, clusters, n_resamples, rng)
    # Values that occurred: to interpolate next to an infinite one would give NaN.
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], method="inverted_cdf")
    return Estimate(value, float(low), float(high), level)


def estimate(statistic: Callable[..., float], *rows: Rows, groups: ArrayLike | None) -> float:
    """Compute a metric: a plain float, or with groups an `Estimate`."""
    if groups is None:
        return float(statistic(*rows))
    return bootstrap_estimate(statistic, *rows, groups=groups)


class _Clusters:
    """The rows of each group, to be drawn together."""

    def __init__(self, groups: NDArray[Any], rows: tuple[Rows, ...]) -> None:
        for row in rows:
            if len(row) != len(groups):
                raise ValueError(
                    f"Expected a group for each of {len(row)} samples, got {len(groups)}."
                )
        self._rows = np.argsort(groups, kind="stable")  # group after group
        _, self._starts, self._sizes = np.unique(
            groups[self._rows], return_index=True, return_counts=True
        )
        if len(self._sizes) < 2:
            raise ValueError(f"Expected at least 2 groups, got {len(self._sizes)}.")

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw as many groups as there are, with replacement; give their rows."""
        drawn = rng.integers(len(self._sizes), size=len(self._sizes))
        sizes = self._sizes[drawn]
        ends = np.cumsum(sizes)
        shift = np.repeat(self._starts[drawn] - (ends - sizes), sizes)
        return self._rows[shift + np.arange(ends[-1])]


def _resample(
    statistic: Callable[..., float],
    rows: tuple[Rows, ...],
    clusters: _Clusters,
    n_resamples: int,
    rng: np.random.Generator,
) -> list[float]:
    """Values of the statistic on the resamples where it is defined."""
    values = []
    for _ in range(n_resamples):
        index = clusters.draw(rng)
        try:
            values.append(_evaluate(statistic, *(_take(row, index) for row in rows)))
        except UndefinedMetricError:
            continue
    if 2 * len(values) < n_resamples:
        raise UndefinedMetricError(
            "Expected the statistic to be defined on at least half of the resamples, "
            f"got {len(values)} of {n_resamples}."
        )
    return values


def _take(rows: Any, index: NDArray[np.intp]) -> Any:
    """Take rows by their place: a frame of pandas would look for their labels."""
    return rows.iloc[index] if hasattr(rows, "iloc") else rows[index]


def _evaluate(statistic: Callable[..., float], *rows: Rows) -> float:
    value = float(statistic(*rows))
    if np.isnan(value):
        raise UndefinedMetricError("The statistic is NaN on these samples.")
    return value
