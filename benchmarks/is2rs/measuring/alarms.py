"""Alarms while a relaxation runs: how many bad ones are caught, and how early."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LeadTime", "lead_time"]


class LeadTime(NamedTuple):
    """What an alarm at a threshold is worth.

    Parameters
    ----------
    threshold : float or None
        A relaxation raises an alarm at the first step whose score is above it; None if there is
        no good relaxation to set it by.
    false_positives : float or None
        Share of the good relaxations that raise an alarm.
    caught : float or None
        Share of the bad ones that do; None if there are none.
    steps : float or None
        Median number of steps from the alarm to the end, over the bad ones that are caught;
        None if none is.
    reason : str or None
        Why there is no threshold, or no share.
    """

    threshold: float | None
    false_positives: float | None
    caught: float | None
    steps: float | None
    reason: str | None = None


def lead_time(
    step_scores: Sequence[NDArray[np.float64]],
    bad: ArrayLike,
    false_positive_rate: float = 0.05,
) -> LeadTime:
    """Set an alarm by the good relaxations, and see what it says of the bad ones.

    The threshold is the lowest score of a good relaxation above which no more than the given
    share of the good ones ever come. Where that share is less than one of them (fewer than 20,
    for 5 %), none may: the threshold is the largest score of any good one, and few bad ones are
    caught. Set and measured on the same relaxations, it is a little better than on new ones.

    Parameters
    ----------
    step_scores : sequence of ndarray of shape (n_steps,)
        A score of each step, of each relaxation; may be infinite.
    bad : array-like of shape (n_systems,), bool
        Which relaxations are bad.
    false_positive_rate : float, default=0.05
        Share of the good relaxations that may raise an alarm, in [0, 1).

    Returns
    -------
    LeadTime
        With a reason in place of numbers if there are no good or no bad relaxations.

    Raises
    ------
    ValueError
        If lengths differ, a relaxation has no steps, scores are NaN, `bad` is not of bool, or
        the rate is outside [0, 1).
    """
    is_bad = np.asarray(bad)
    _check(step_scores, is_bad, false_positive_rate)
    peaks = np.array([scores.max() for scores in step_scores])
    good_peaks = np.sort(peaks[~is_bad])
    if not len(good_peaks):
        return LeadTime(None, None, None, None, "No relaxation is good, to set a threshold by.")
    # A little more, for rates such as 0.29 of 100, whose product is below 29.
    n_allowed = math.floor(false_positive_rate * len(good_peaks) + 1e-9)
    threshold = good_peaks[-1 - n_allowed]
    false_positives = float((good_peaks > threshold).mean())
    if not is_bad.any():
        return LeadTime(float(threshold), false_positives, None, None, "No relaxation is bad.")
    above = [
        scores > threshold for scores, is_one in zip(step_scores, is_bad, strict=True) if is_one
    ]
    leads = [len(alarms) - 1 - int(alarms.argmax()) for alarms in above if alarms.any()]
    return LeadTime(
        float(threshold),
        false_positives,
        caught=len(leads) / len(above),
        steps=float(np.median(leads)) if leads else None,
    )


def _check(
    step_scores: Sequence[NDArray[np.float64]], bad: NDArray[np.generic], rate: float
) -> None:
    if bad.shape != (len(step_scores),) or (bad.size and bad.dtype != bool):
        raise ValueError(
            f"Expected bad to be a bool for each of {len(step_scores)} relaxations, "
            f"got shape {bad.shape}, {bad.dtype}."
        )
    if not 0 <= rate < 1:
        raise ValueError(f"Expected false_positive_rate in [0, 1), got {rate}.")
    for number, scores in enumerate(step_scores):
        if scores.ndim != 1 or not scores.size or np.isnan(scores).any():
            raise ValueError(
                f"Expected scores of at least one step, none NaN, got {scores} of number {number}."
            )
