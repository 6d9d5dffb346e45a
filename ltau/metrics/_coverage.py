"""Coverage: the share of errors inside predicted bounds, overall and by group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.labels import as_labels
from ltau._inputs.numbers import as_floats, as_magnitudes, check_same_length
from ltau.metrics._bootstrap import estimate

__all__ = ["coverage", "coverage_by_group"]


def coverage(
    errors: ArrayLike,
    *,
    upper: ArrayLike,
    lower: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> float:
    """Compute the share of errors inside their predicted bounds.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    upper : array-like of shape (n_samples,)
        Predicted upper bounds, in the target's unit; may be infinite. By name, as errors and
        bounds look alike, and swapped they would give a wrong number.
    lower : array-like of shape (n_samples,), optional
        Predicted lower bounds, in the target's unit. By default there are none.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Share of errors with ``lower <= error <= upper``; with `groups`, an
        `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, errors are NaN, infinite or negative, a bound is NaN, or
        a lower bound is above its upper bound.

    References
    ----------
    .. [1] T. Gneiting, F. Balabdaoui and A. E. Raftery, "Probabilistic forecasts,
       calibration and sharpness", J. R. Stat. Soc. B 69, 243-268 (2007).
       doi:10.1111/j.1467-9868.2007.00587.x

    Examples
    --------
    >>> from ltau.metrics import coverage
    >>> coverage([0.1, 0.2, 0.3, 0.4], upper=[0.2, 0.2, 0.2, 0.5])
    0.75
    >>> coverage([0.1, 0.2], upper=[0.4, 0.4], groups=["train", "test"])
    1.00 [1.00, 1.00]
    """
    return estimate(np.mean, _inside(errors, upper, lower), groups=groups)


def coverage_by_group(
    errors: ArrayLike,
    groups: ArrayLike,
    *,
    upper: ArrayLike,
    lower: ArrayLike | None = None,
) -> dict[Any, float]:
    """Compute the share of errors inside their bounds for each group.

    Coverage may be right over all samples and wrong for every group of them: for
    each element of a structure, say.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    groups : array-like of shape (n_samples,)
        Group label of each sample, of any dtype that sorts.
    upper : array-like of shape (n_samples,)
        Predicted upper bounds, in the target's unit; may be infinite.
    lower : array-like of shape (n_samples,), optional
        Predicted lower bounds, in the target's unit. By default there are none.

    Returns
    -------
    dict of label to float
        Share of errors with ``lower <= error <= upper`` for each group, in the
        order of the sorted labels.

    Raises
    ------
    ValueError
        If lengths differ, errors are NaN, infinite or negative, a bound or a label
        is NaN, or a lower bound is above its upper bound.

    References
    ----------
    .. [1] Y. Romano, R. F. Barber, C. Sabatti and E. J. Candès, "With malice toward
       none: assessing uncertainty via equalized coverage", Harv. Data Sci. Rev. 2
       (2020). doi:10.48550/arXiv.1908.05428

    Examples
    --------
    >>> from ltau.metrics import coverage_by_group
    >>> coverage_by_group([0.1, 0.2, 0.3], ["H", "O", "O"], upper=[0.2, 0.2, 0.2])
    {'H': 1.0, 'O': 0.5}
    """
    inside = _inside(errors, upper, lower)
    groups = as_labels(groups, "groups")
    check_same_length(errors=inside, groups=groups)
    labels, group = np.unique(groups, return_inverse=True)
    shares = np.bincount(group, weights=inside) / np.bincount(group)
    return dict(zip(labels.tolist(), shares.tolist(), strict=True))


def _inside(errors: ArrayLike, upper: ArrayLike, lower: ArrayLike | None) -> NDArray[np.bool_]:
    errors = as_magnitudes(errors, "errors")
    upper = as_floats(upper, "upper", allow_infinite=True)
    check_same_length(errors=errors, upper=upper)
    if lower is None:
        return errors <= upper
    lower = as_floats(lower, "lower", allow_infinite=True)
    check_same_length(errors=errors, lower=lower)
    n_crossed = np.count_nonzero(lower > upper)
    if n_crossed:
        raise ValueError(f"Expected lower <= upper, got {n_crossed} lower > upper.")
    return (lower <= errors) & (errors <= upper)
