"""Areas under the curves of a score, quick enough for a bootstrap of every score and label.

They are `ltau.metrics.auroc` and `auprc` without the checks, which take far longer than the
numbers themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltau.metrics import UndefinedMetricError

__all__ = ["precision_recall_area", "roc_area"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def roc_area(bad: Mask, score: Floats) -> float:
    """Compute the chance that a bad one scores above a good one, a tie counting one half.

    Parameters
    ----------
    bad : ndarray of shape (n,), bool
        Which are to be found.
    score : ndarray of shape (n,)
        Higher for those suspected; without NaN.

    Returns
    -------
    float
        The area under the receiver operating characteristic, in [0, 1].

    Raises
    ------
    UndefinedMetricError
        If all are bad, or none is.
    """
    _check_both(bad)
    good = np.sort(score[~bad])
    below, not_above = (np.searchsorted(good, score[bad], side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(good)))


def precision_recall_area(bad: Mask, score: Floats) -> float:
    """Compute the average precision: over the bad ones, among all that score no lower.

    Parameters
    ----------
    bad, score : ndarray of shape (n,)
        As for `roc_area`.

    Returns
    -------
    float
        The area under the precision-recall curve, in (0, 1].

    Raises
    ------
    UndefinedMetricError
        If all are bad, or none is.
    """
    _check_both(bad)
    of_bad = np.sort(score[bad])
    n_bad, n = (
        len(values) - np.searchsorted(values, of_bad) for values in (of_bad, np.sort(score))
    )
    return float((n_bad / n).mean())


def _check_both(bad: Mask) -> None:
    if bad.all() or not bad.any():
        kind = "bad" if bad.all() else "good"
        raise UndefinedMetricError(f"Expected good and bad ones, got only {kind} ones.")
