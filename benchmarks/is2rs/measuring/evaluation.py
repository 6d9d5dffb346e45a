"""How well a score tells bad relaxations from good ones, and ranks true errors.

Intervals are of 95 %, by a bootstrap that draws whole clusters: systems of one bulk and one
adsorbate are not independent, nor are the steps of a path. What is undefined has no number but a
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.is2rs.measuring.areas import precision_recall_area, roc_area
from ltau.metrics import (
    UndefinedMetricError,
    bootstrap_estimate,
    risk_coverage_area,
    risk_coverage_curve,
    spearman,
)

__all__ = [
    "Detection",
    "Measured",
    "RiskCoverage",
    "evaluate",
    "measure",
    "rank",
    "risk_coverage",
]

Floats = NDArray[np.float64]


class Measured(NamedTuple):
    """A number with its interval, or the reason why there is none.

    Parameters
    ----------
    value : float or None
        The number; None if it is undefined.
    low, high : float or None
        Ends of its 95 % interval; None if that is undefined.
    reason : str or None
        Why the value, or else the interval, is undefined.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


class Detection(NamedTuple):
    """How well a score tells bad relaxations from good ones.

    Parameters
    ----------
    auroc, auprc : Measured
        Area under the receiver operating characteristic, 0.5 without information; and that
        under the precision-recall curve, `base_rate` without information.
    base_rate : float or None
        Share of bad relaxations; None if no label is known.
    n : int
        Relaxations whose label is known.
    """

    auroc: Measured
    auprc: Measured
    base_rate: float | None
    n: int


class RiskCoverage(NamedTuple):
    """The risk that is left if the most suspect relaxations are left out.

    Parameters
    ----------
    coverage : ndarray of shape (n,)
        Share of the relaxations kept, 1 / n to 1.
    risk : ndarray of shape (n,)
        Mean of the truth over them: the share of bad ones, or the mean true error.
    area : Measured
        Mean of the risk over coverages. A score without information has that of all, the last.
    least : float
        The least area there can be: that of the truth itself.
    """

    coverage: Floats
    risk: Floats
    area: Measured
    least: float


def evaluate(
    score: ArrayLike,
    label: Sequence[bool | None],
    clusters: ArrayLike,
    n_resamples: int = 200,
    seed: int = 0,
) -> Detection:
    """Evaluate how well a score tells bad relaxations from good ones.

    Parameters
    ----------
    score : array-like of shape (n_systems,)
        Higher for those suspected; may be infinite.
    label : sequence of n_systems bool or None
        Which are bad. Those that are None, unknown, are left out.
    clusters : array-like of shape (n_systems,)
        What is drawn whole in the bootstrap, as `System.cluster`.
    n_resamples : int, default=200
        Resamples of the bootstrap. Those with one class of label only are left out, so that the
        interval is on condition that there are both; where they are more than half, there is no
        interval.
    seed : int, default=0
        Seed of the bootstrap.

    Returns
    -------
    Detection
        Without numbers but with a reason if all known labels are the same.

    Raises
    ------
    ValueError
        If lengths differ, or scores are NaN.
    """
    score, clusters = np.asarray(score, dtype=np.float64), np.asarray(clusters)
    if np.isnan(score).any():
        raise ValueError(f"Expected scores without NaN, got {np.isnan(score).sum()}.")
    known = np.array([value is not None for value in label], dtype=bool)
    _check_lengths(score=score, label=known, clusters=clusters)
    bad = np.array([bool(value) for value in label], dtype=bool)[known]
    drawn: dict[str, Any] = {
        "clusters": clusters[known],
        "n_resamples": n_resamples,
        "seed": seed,
    }
    return Detection(
        auroc=measure(roc_area, bad, score[known], **drawn),
        auprc=measure(precision_recall_area, bad, score[known], **drawn),
        base_rate=float(bad.mean()) if len(bad) else None,
        n=len(bad),
    )


def rank(
    score: ArrayLike,
    truth: ArrayLike,
    clusters: ArrayLike,
    n_resamples: int = 200,
    seed: int = 0,
) -> Measured:
    """Evaluate how well a score ranks true errors, by Spearman's correlation.

    Parameters
    ----------
    score : array-like of shape (n,)
        A value a relaxation, or a step; may be infinite.
    truth : array-like of shape (n,)
        True errors. Those that are NaN, unknown, are left out.
    clusters : array-like of shape (n,)
        What is drawn whole in the bootstrap, as `System.cluster`.
    n_resamples, seed : int, default=200 and 0
        As in `evaluate`; resamples in which all scores or all errors are equal are left out.

    Returns
    -------
    Measured
        The correlation; undefined if all scores or all errors are equal.

    Raises
    ------
    ValueError
        If lengths differ, scores are NaN, or errors are negative or infinite.
    """
    score, truth, clusters = _known(score, truth, clusters)
    if len(score) and (score == score[0]).all():
        return Measured(None, reason="The score is the same of all.")
    return measure(spearman, truth, score, clusters=clusters, n_resamples=n_resamples, seed=seed)


def risk_coverage(
    score: ArrayLike,
    truth: ArrayLike,
    clusters: ArrayLike,
    n_resamples: int = 200,
    seed: int = 0,
) -> RiskCoverage:
    """Evaluate what is left if the most suspect relaxations are left out.

    Parameters
    ----------
    score : array-like of shape (n,)
        Higher for those suspected; may be infinite.
    truth : array-like of shape (n,), bool or float
        Which are bad, or their true errors. Those that are NaN, unknown, are left out.
    clusters : array-like of shape (n,)
        What is drawn whole in the bootstrap, as `System.cluster`.
    n_resamples, seed : int, default=200 and 0
        Of the bootstrap.

    Returns
    -------
    RiskCoverage
        The curve and its area. Of tied relaxations, it is the mean over their orders.

    Raises
    ------
    ValueError
        If lengths differ, no truth is known, scores are NaN, or errors are negative or infinite.
    """
    score, truth, clusters = _known(score, truth, clusters)
    coverage, risk = risk_coverage_curve(truth, score)
    area = measure(
        risk_coverage_area, truth, score, clusters=clusters, n_resamples=n_resamples, seed=seed
    )
    return RiskCoverage(coverage, risk, area, risk_coverage_area(truth, truth))


def measure(
    statistic: Callable[..., float],
    *rows: NDArray[Any],
    clusters: ArrayLike,
    n_resamples: int = 200,
    seed: int = 0,
) -> Measured:
    """Compute a statistic, then its interval, as far as they are defined.

    Parameters
    ----------
    statistic : callable
        Takes `rows` and returns a float, or raises UndefinedMetricError.
    *rows : ndarray of shape (n, ...)
        What the statistic takes.
    clusters : array-like of shape (n,)
        What is drawn whole in the bootstrap, as `System.cluster`.
    n_resamples, seed : int, default=200 and 0
        As in `evaluate`; resamples in which the statistic is undefined are left out.

    Returns
    -------
    Measured
        The statistic; undefined if there are no rows.
    """
    if not len(rows[0]):
        return Measured(None, reason="The truth is unknown of all.")
    try:
        value = float(statistic(*rows))
    except UndefinedMetricError as error:
        return Measured(None, reason=str(error))
    if len(np.unique(clusters)) < 2:
        return Measured(value, reason="No interval: all are of one cluster.")
    try:
        found = bootstrap_estimate(
            statistic, *rows, groups=clusters, n_resamples=n_resamples, random_state=seed
        )
    except UndefinedMetricError as error:
        return Measured(value, reason=f"No interval: {error}")
    return Measured(value, found.low, found.high)


def _known(
    score: ArrayLike, truth: ArrayLike, clusters: ArrayLike
) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """Keep what has a truth."""
    scores, truths = (np.asarray(values, dtype=np.float64) for values in (score, truth))
    labels = np.asarray(clusters)
    _check_lengths(score=scores, truth=truths, clusters=labels)
    known = ~np.isnan(truths)
    return scores[known], truths[known], labels[known]


def _check_lengths(**arrays: NDArray[np.generic]) -> None:
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"Expected vectors of one length, got shapes {shapes}.")
