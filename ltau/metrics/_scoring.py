"""Proper scores: lowest, on average, for the distribution that errors come from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import as_floats, as_fractions, as_magnitudes, check_same_length
from ltau.metrics._bootstrap import estimate
from ltau.metrics._protocol import PredictiveDistribution, evaluate

__all__ = ["crps", "log_score", "pinball_loss"]


def crps(
    errors: ArrayLike,
    distribution: PredictiveDistribution,
    *,
    groups: ArrayLike | None = None,
) -> float:
    """Compute the mean continuous ranked probability score; lower is better.

    A sample's score is the integral of the squared difference between the
    predicted CDF and the step at the observed error. It generalises the absolute
    error, which it equals for a prediction without spread.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    distribution : PredictiveDistribution of n_samples rows
        Predicted distribution of each sample's error, such as an `ErrorDistribution`.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Mean score, in the unit of the errors; with `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, or errors are NaN, infinite or negative.
    TypeError
        If the two are swapped.

    References
    ----------
    .. [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction,
       and estimation", J. Am. Stat. Assoc. 102, 359-378 (2007).
       doi:10.1198/016214506000001437

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.metrics import crps
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> round(crps([0.5, 2.0], distribution), 3)
    0.751
    """
    scores = evaluate(errors, distribution, "crps")
    return estimate(np.mean, scores, groups=groups)


def log_score(
    errors: ArrayLike,
    distribution: PredictiveDistribution,
    *,
    groups: ArrayLike | None = None,
) -> float:
    """Compute the mean of minus the log of the predicted density; lower is better.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    distribution : PredictiveDistribution of n_samples rows
        Predicted distribution of each sample's error, such as an `ErrorDistribution`.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Mean score, in nats; with `groups`, an `Estimate`. A change of the errors'
        unit by a factor c shifts it by log(c).

    Raises
    ------
    ValueError
        If lengths differ, or errors are NaN, infinite or negative.
    TypeError
        If the two are swapped.

    Notes
    -----
    The score is infinite if a single error falls where its predicted density is 0,
    as it may for a density with bounded support. That is the score's verdict, not
    a failure; `crps` is finite there.

    References
    ----------
    .. [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction,
       and estimation", J. Am. Stat. Assoc. 102, 359-378 (2007).
       doi:10.1198/016214506000001437

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.metrics import log_score
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> round(log_score([0.5, 2.0], distribution), 3)
    1.844
    """
    density = as_magnitudes(evaluate(errors, distribution, "pdf"), "the predicted density")
    with np.errstate(divide="ignore"):  # a density of 0 scores infinity
        scores = -np.log(density)
    return estimate(np.mean, scores, groups=groups)


def pinball_loss(
    errors: ArrayLike,
    quantiles: ArrayLike,
    levels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
) -> float:
    """Compute the mean pinball loss of predicted quantiles; lower is better.

    An error above its predicted quantile costs `level` times the difference, one
    below it ``1 - level`` times the difference.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    quantiles : array-like of shape (n_samples,) or (n_samples, n_levels)
        Predicted quantiles of each sample's error, in the target's unit.
    levels : float or array-like of shape (n_levels,)
        Probabilities of the quantiles, in [0, 1]; a float for 1-D `quantiles`.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Loss averaged over samples and levels, in the unit of the errors; with
        `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If lengths or the number of levels differ, errors are NaN, infinite or
        negative, quantiles are NaN or infinite, or levels are outside [0, 1].

    Notes
    -----
    Twice the loss, averaged over all levels between 0 and 1, is the CRPS.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 33-50
       (1978). doi:10.2307/1913643

    Examples
    --------
    >>> from ltau.metrics import pinball_loss
    >>> round(pinball_loss([0.1, 0.5], [0.2, 0.3], 0.9), 3)
    0.095
    >>> round(pinball_loss([0.1, 0.5], [[0.1, 0.2], [0.2, 0.3]], [0.5, 0.9]), 3)
    0.085
    """
    errors = as_magnitudes(errors, "errors")
    quantiles = as_floats(quantiles, "quantiles", ndim=np.ndim(levels) + 1)
    check_same_length(errors=errors, quantiles=quantiles)
    levels = as_fractions(levels, "levels")
    quantiles = quantiles.reshape(len(errors), -1)
    if quantiles.shape[1] != len(levels):
        raise ValueError(
            f"Expected a column of quantiles for each of {len(levels)} levels, "
            f"got {quantiles.shape[1]}."
        )
    above = errors[:, None] - quantiles
    losses = np.maximum(levels * above, (levels - 1) * above).mean(axis=1)
    return estimate(np.mean, losses, groups=groups)
