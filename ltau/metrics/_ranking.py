"""Ranking: are the samples with the largest errors those predicted to have them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from ltau._inputs.numbers import (
    FloatArray,
    as_binary,
    as_errors_and_scores,
    as_floats,
    check_same_length,
)
from ltau.metrics._bootstrap import UndefinedMetricError, estimate

__all__ = ["auprc", "auroc", "base_rate", "spearman"]


def spearman(errors: ArrayLike, predicted: ArrayLike, *, groups: ArrayLike | None = None) -> float:
    """Compute Spearman's rank correlation of observed with predicted errors.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    predicted : array-like of shape (n_samples,)
        Predicted errors, or any score that should rise with the error.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Correlation, in [-1, 1]; tied samples take their average rank. With
        `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, errors are NaN, infinite or negative, or predicted
        values are NaN.
    UndefinedMetricError
        If all errors or all predicted values are equal.

    References
    ----------
    .. [1] C. Spearman, "The proof and measurement of association between two
       things", Am. J. Psychol. 15, 72-101 (1904). doi:10.2307/1412159

    Examples
    --------
    >>> from ltau.metrics import spearman
    >>> round(spearman([0.1, 0.2, 0.3, 0.4], [1.0, 3.0, 2.0, 4.0]), 2)
    0.8
    """
    errors, predicted = as_errors_and_scores(errors, predicted)
    return estimate(_spearman, errors, predicted, groups=groups)


def auroc(positive: ArrayLike, score: ArrayLike, *, groups: ArrayLike | None = None) -> float:
    """Compute the area under the receiver operating characteristic curve.

    It is the probability that a positive sample scores above a negative one, a
    tie counting one half.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool or 0 and 1
        Which samples are to be found: out of domain, say, or of large error.
    score : array-like of shape (n_samples,)
        Score that should be higher for positive samples.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Area, in [0, 1]; 0.5 for a score without information. With `groups`, an
        `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, scores are NaN, or `positive` is not binary.
    UndefinedMetricError
        If all samples are of one class.

    References
    ----------
    .. [1] J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a
       receiver operating characteristic (ROC) curve", Radiology 143, 29-36 (1982).
       doi:10.1148/radiology.143.1.7063747

    Examples
    --------
    >>> from ltau.metrics import auroc
    >>> auroc([False, False, True, True], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels, scores = _labels_and_scores(positive, score)
    return estimate(_auroc, labels, scores, groups=groups)


def auprc(positive: ArrayLike, score: ArrayLike, *, groups: ArrayLike | None = None) -> float:
    """Compute the area under the precision-recall curve, as average precision.

    A score without information reaches the share of positive samples, not 0.5: report
    `base_rate` with it.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool or 0 and 1
        Which samples are to be found: out of domain, say, or of large error.
    score : array-like of shape (n_samples,)
        Score that should be higher for positive samples.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Area, in (0, 1]; with `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, scores are NaN, or `positive` is not binary.
    UndefinedMetricError
        If all samples are of one class.

    References
    ----------
    .. [1] J. Davis and M. Goadrich, "The relationship between precision-recall and
       ROC curves", ICML (2006). doi:10.1145/1143844.1143874

    Examples
    --------
    >>> from ltau.metrics import auprc
    >>> round(auprc([False, False, True, True], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    """
    labels, scores = _labels_and_scores(positive, score)
    return estimate(_auprc, labels, scores, groups=groups)


def base_rate(positive: ArrayLike, *, groups: ArrayLike | None = None) -> float:
    """Compute the share of positive samples, to compare `auprc` with.

    Parameters
    ----------
    positive : array-like of shape (n_samples,), bool or 0 and 1
        Which samples are to be found.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Share, in [0, 1]; with `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If `positive` is empty or not binary.

    Examples
    --------
    >>> from ltau.metrics import base_rate
    >>> base_rate([False, False, True, False])
    0.25
    """
    return estimate(np.mean, as_binary(positive, "positive"), groups=groups)


def _labels_and_scores(
    positive: ArrayLike, score: ArrayLike
) -> tuple[NDArray[np.bool_], FloatArray]:
    labels = as_binary(positive, "positive")
    scores = as_floats(score, "score", allow_infinite=True)
    check_same_length(positive=labels, score=scores)
    return labels, stats.rankdata(scores)  # their order alone matters, and ranks are finite


def _spearman(errors: FloatArray, predicted: FloatArray) -> float:
    for name, values in (("errors", errors), ("predicted", predicted)):
        if values.min() == values.max():
            raise UndefinedMetricError(f"Expected {name} that differ, got only {values[0]:g}.")
    return stats.spearmanr(errors, predicted).statistic


def _auroc(labels: NDArray[np.bool_], scores: FloatArray) -> float:
    _check_both_classes(labels)
    return roc_auc_score(labels, scores)


def _auprc(labels: NDArray[np.bool_], scores: FloatArray) -> float:
    _check_both_classes(labels)
    return average_precision_score(labels, scores)


def _check_both_classes(labels: NDArray[np.bool_]) -> None:
    if labels.all() or not labels.any():
        raise UndefinedMetricError(f"Expected both classes in positive, got only {labels[0]}.")
