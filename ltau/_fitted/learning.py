"""What held-out samples teach: a calibration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ltau._fitted.calibration import Calibration
from ltau._fitted.conformal import conformal_scores
from ltau._maths.domain import stretch_factor
from ltau.distribution import ErrorDistribution

__all__ = ["fit_stretch", "learn"]

Floats = NDArray[np.float64]

_SCALES = (1e-3, 1e3)
_EXPONENTS = (0.0, 4.0)


def learn(
    plain: ErrorDistribution,
    ood_score: Floats,
    errors: Floats,
    groups: NDArray[np.generic] | None,
    *,
    exponent: float | None,
    stretch_fraction: float,
    rng: np.random.Generator,
) -> Calibration:
    """Learn a calibration from held-out samples.

    Parameters
    ----------
    plain : ErrorDistribution
        Predicted for each sample, not stretched.
    ood_score : ndarray of shape (n_samples,)
        Of each sample.
    errors : ndarray of shape (n_samples, n_obs)
        Observed errors; NaN = not seen.
    groups : ndarray of shape (n_samples,) or None
        Group of each sample.
    exponent : float or None
        The exponent, if it is given.
    stretch_fraction : float
        Share of the samples that teach the scale and the exponent.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    Calibration
        What was learnt.
    """
    first, rest = _split(len(errors), groups, stretch_fraction, rng)
    scale, power = 1.0, exponent or 0.0
    if len(first):
        scale, power = fit_stretch(plain[first], ood_score[first], errors[first], exponent)
    if not len(rest):
        return Calibration(scale, power, {})
    stretched = plain[rest].scaled(stretch_factor(scale, power, ood_score[rest]))
    scores = conformal_scores(stretched, errors[rest])
    if groups is None:
        return Calibration(scale, power, {None: _ascending(scores)})
    labels = groups[rest]
    by_group = {label: _ascending(scores[labels == label]) for label in np.unique(labels)}
    return Calibration(scale, power, {label.item(): part for label, part in by_group.items()})


def _split(
    n_samples: int,
    groups: NDArray[np.generic] | None,
    fraction: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide the samples at random: a fraction of each group, and at least one that is left.

    A group that lost all its samples to the fraction would have no levels.
    """
    order = rng.permutation(n_samples)
    if groups is None:
        n_first = round(fraction * n_samples)
        return order[:n_first], order[n_first:]
    is_first = np.zeros(n_samples, bool)
    for label in np.unique(groups):
        own = order[groups[order] == label]
        n_first = round(fraction * len(own))
        is_first[own[: n_first if fraction == 1 else min(n_first, len(own) - 1)]] = True
    return order[is_first[order]], order[~is_first[order]]


def _ascending(scores: Floats) -> Floats:
    return np.sort(scores[~np.isnan(scores)])


def fit_stretch(
    distribution: ErrorDistribution, ood_score: Floats, errors: Floats, exponent: float | None
) -> tuple[float, float]:
    """Find the scale and the exponent with the least mean CRPS.

    Parameters
    ----------
    distribution : ErrorDistribution
        Predicted, not stretched.
    ood_score : ndarray of shape (n_samples,)
        Ratios of distances.
    errors : ndarray of shape (n_samples, n_obs)
        Observed errors; NaN = not seen.
    exponent : float or None
        The exponent, if it is given.

    Returns
    -------
    scale, exponent : float
        The best ones.
    """

    def crps(parameters: Floats) -> float:
        power = parameters[1] if exponent is None else exponent
        factor = stretch_factor(math.exp(parameters[0]), power, ood_score)
        return float(np.nanmean(distribution.scaled(factor).crps(errors)))

    limits = [tuple(np.log(_SCALES)), _EXPONENTS]
    start, step = [0.0, 0.5], [0.3, 0.5]
    n = 2 if exponent is None else 1
    simplex = np.array([start, *(start + np.diag(step))])[: n + 1, :n]
    best = minimize(
        crps,
        start[:n],
        method="Nelder-Mead",
        bounds=limits[:n],
        options={"initial_simplex": simplex, "xatol": 1e-3, "fatol": 0.0, "maxfev": 400},
    ).x
    return math.exp(best[0]), float(best[1]) if exponent is None else exponent
