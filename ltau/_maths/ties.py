"""The tie rule: where a distribution stays at the level asked for, the largest error counts.

Between two bins that hold errors there may be bins that hold none: the distribution is flat
there, and every error of the gap has the same probability of not being exceeded. Levels that
a calibration has learnt are often such ones. Whether a sum comes out a little below the level
or above it is a matter of rounding, and differs from backend to backend; which end of the gap
is taken must not. It is the upper one: an error bar is then never too small.
"""

from __future__ import annotations

from typing import Any

__all__ = ["TIE", "between", "level_to_reach", "quantile_in_bin"]

TIE = 1e-12  # of probabilities, by which rounding may make equal ones differ


def level_to_reach(level: Any) -> Any:
    """Give the probability by which the bin of a quantile is found.

    Parameters
    ----------
    level : array
        Levels from 0 to 1.

    Returns
    -------
    array
        The quantile lies in the first bin at whose upper edge the distribution reaches this.
        A little more than the level: a bin that only just reaches it is passed over. No
        more than what rounding leaves of 1, so that there is such a bin.
    """
    return (level + TIE).clip(TIE, 1.0 - TIE)


def quantile_in_bin(level: Any, before: Any, after: Any, left: Any, right: Any) -> Any:
    """Find a quantile in its bin.

    Parameters
    ----------
    level : array
        Level from 0 to 1.
    before, after : array
        The distribution at the edges of the bin; ``before < after``.
    left, right : array
        The edges.

    Returns
    -------
    array
        The error, from edge to edge.
    """
    fraction = ((level - before) / (after - before)).clip(0.0, 1.0)
    return between(fraction, left, right)


def between(fraction: Any, start: Any, end: Any) -> Any:
    """Go a fraction of the way from `start` to `end`: errors lie evenly within a bin."""
    return start + fraction * (end - start)
