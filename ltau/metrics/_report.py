"""The usual metrics of predicted errors in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_errors_and_scores, as_fractions
from ltau.metrics._bootstrap import Estimate, UndefinedMetricError, bootstrap_estimate
from ltau.metrics._calibration import area_to_diagonal, pit
from ltau.metrics._protocol import PredictiveDistribution, evaluate
from ltau.metrics._ranking import spearman
from ltau.metrics._risk_coverage import risk_coverage_area

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MetricReport", "report"]


class _WithQuantiles(PredictiveDistribution, Protocol):
    def mean(self) -> FloatArray: ...
    def quantile(self, q: float, /) -> FloatArray: ...


class MetricReport(Mapping[str, Estimate]):
    """Metrics by their names, each with its interval; prints as a table.

    Parameters
    ----------
    estimates : dict of str to Estimate
        The metrics.
    n_samples, n_groups : int
        What they were computed from.

    Examples
    --------
    >>> from ltau.metrics import Estimate, MetricReport
    >>> MetricReport({"coverage": Estimate(0.91, 0.88, 0.93, 0.95)}, n_samples=500, n_groups=50)
    coverage   0.910  [0.880, 0.930]
    500 samples in 50 groups; intervals at 95 %
    """

    def __init__(self, estimates: Mapping[str, Estimate], *, n_samples: int, n_groups: int) -> None:
        self.n_samples = n_samples
        self.n_groups = n_groups
        self._estimates = dict(estimates)

    def __getitem__(self, name: str) -> Estimate:
        return self._estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def to_frame(self) -> pd.DataFrame:
        """Give the table as a data frame.

        Returns
        -------
        pandas.DataFrame
            One row per metric, with the columns ``value``, ``low`` and ``high``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        rows = {name: [float(e), e.low, e.high] for name, e in self.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        lines = [f"{name:{width}}   {value}  {interval}" for name, value, interval in self._cells()]
        return "\n".join([*lines, self._basis()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{value}</td><td>{interval}</td></tr>"
            for name, value, interval in self._cells()
        )
        return f"<table>{rows}</table><p>{self._basis()}</p>"

    def _cells(self) -> Iterator[tuple[str, str, str]]:
        for name, estimate in self.items():
            value, interval = repr(estimate).split(" ", 1)
            yield name, value, interval

    def _basis(self) -> str:
        level = next((estimate.level for estimate in self.values()), 0.95)
        independent = self.n_groups == self.n_samples
        groups = "independent samples" if independent else f"samples in {self.n_groups:,} groups"
        return f"{self.n_samples:,} {groups}; intervals at {100 * level:g} %"


def report(
    errors: ArrayLike,
    distribution: _WithQuantiles,
    *,
    expected: ArrayLike | None = None,
    level: float = 0.9,
    groups: ArrayLike | None = None,
    n_resamples: int = 200,
) -> MetricReport:
    """Compute the usual metrics of predicted errors, with intervals.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    distribution : ErrorDistribution of n_samples rows
        Their predicted distributions; any `PredictiveDistribution` with ``mean()`` and
        ``quantile(level)``.
    expected : array-like of shape (n_samples,), optional
        Predicted expected errors, in the target's unit, such as those of
        `LTAUEstimator.predict`; by default the means of the distributions.
    level : float, default=0.9
        Probability of the error bars whose coverage is computed.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for the intervals: see `bootstrap_estimate`. By default all
        samples are independent.
    n_resamples : int, default=200
        Number of bootstrap resamples.

    Returns
    -------
    MetricReport
        ``mean_error`` and ``expected_error`` (observed and predicted), ``spearman`` (rank
        correlation of the two), ``coverage`` and ``error_bar`` (share of errors inside the
        error bars, and their mean), ``miscalibration_area``, ``crps`` and
        ``risk_coverage_area``. A metric that is undefined on these samples, such as the rank
        correlation of a constant, is left out.

    Raises
    ------
    ValueError
        If lengths differ, errors are NaN, infinite or negative, predictions are NaN, or there
        are fewer than two samples or groups.
    TypeError
        If errors and distribution are swapped.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau import LTAUEstimator
    >>> from ltau.metrics import report
    >>> rng = np.random.default_rng(0)
    >>> latents = rng.normal(size=(1500, 2))
    >>> trajectories = np.abs(latents[:, :1]) * rng.exponential(size=(1500, 50))
    >>> estimator = LTAUEstimator().fit(latents[:1000], trajectories[:1000])
    >>> report(trajectories[1000:, -1], estimator.predict_distribution(latents[1000:]))
    mean_error            0.750  [0.666, 0.841]
    expected_error        0.860  [0.802, 0.927]
    spearman              0.565  [0.506, 0.619]
    coverage              0.916  [0.892, 0.940]
    error_bar             2.01  [1.87, 2.15]
    miscalibration_area   0.0267  [0.0123, 0.0500]
    crps                  0.394  [0.353, 0.445]
    risk_coverage_area    0.343  [0.298, 0.386]
    500 independent samples; intervals at 95 %
    """
    scores = evaluate(errors, distribution, "crps")
    observed, predicted = as_errors_and_scores(
        errors, distribution.mean() if expected is None else expected
    )
    probability = float(as_fractions(level, "level")[0])
    bars = np.asarray(distribution.quantile(probability), np.float64)
    rows: dict[str, tuple[Callable[..., float], tuple[FloatArray, ...]]] = {
        "mean_error": (np.mean, (observed,)),
        "expected_error": (np.mean, (predicted,)),
        "spearman": (spearman, (observed, predicted)),
        "coverage": (np.mean, ((observed <= bars).astype(np.float64),)),
        "error_bar": (np.mean, (bars,)),
        "miscalibration_area": (area_to_diagonal, (pit(errors, distribution),)),
        "crps": (np.mean, (scores,)),
        "risk_coverage_area": (risk_coverage_area, (observed, predicted)),
    }
    labels = np.arange(len(observed)) if groups is None else groups
    estimates = {}
    for name, (statistic, of) in rows.items():
        try:
            estimates[name] = bootstrap_estimate(
                statistic, *of, groups=labels, n_resamples=n_resamples
            )
        except UndefinedMetricError:
            continue
    n_groups = len(np.unique(np.asarray(labels)))
    return MetricReport(estimates, n_samples=len(observed), n_groups=n_groups)
