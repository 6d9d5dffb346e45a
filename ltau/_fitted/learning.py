"""What held-out samples teach: a calibration."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ltau._fitted.calibration import Calibration
from ltau._fitted.conformal import conformal_scores
from ltau._fitted.settings import Settings
from ltau._maths.domain import error_factor
from ltau.distribution import ErrorDistribution

__all__ = ["HeldOut", "fit_stretch", "learn"]

Floats = NDArray[np.float64]

_SCALES = (1e-3, 1e3)
_EXPONENTS = (0.0, 4.0)


class HeldOut(NamedTuple):
    """What is predicted of held-out samples, and what stretches it.

    Parameters
    ----------
    plain : ErrorDistribution
        Predicted for each sample, not stretched.
    ood_score : ndarray of shape (n_samples,)
        Ratios of distances.
    excess : ndarray of shape (n_samples,) or None
        Disagreement beyond the domain, where targets are known.
    """

    plain: ErrorDistribution
    ood_score: Floats
    excess: Floats | None

    def take(self, rows: NDArray[np.intp]) -> HeldOut:
        """Leave all but some samples out."""
        excess = None if self.excess is None else self.excess[rows]
        return HeldOut(self.plain[rows], self.ood_score[rows], excess)

    def stretched(self, settings: Settings, scale: float, exponent: float) -> ErrorDistribution:
        """Predict the distributions as they would be after a calibration."""
        stretching = settings.calibrated(Calibration(scale, exponent, {}))
        return self.plain.scaled(error_factor(stretching, self.ood_score, self.excess))


def learn(
    samples: HeldOut,
    errors: Floats,
    groups: NDArray[np.generic] | None,
    settings: Settings,
    *,
    exponent: float | None,
    stretch_fraction: float | None,
    rng: np.random.Generator,
) -> Calibration:
    """Learn a calibration from held-out samples.

    Parameters
    ----------
    samples : HeldOut
        What is predicted of them.
    errors : ndarray of shape (n_samples, n_obs)
        Observed errors; NaN = not seen.
    groups : ndarray of shape (n_samples,) or None
        Group of each sample.
    settings : Settings
        How errors are stretched.
    exponent : float or None
        The exponent; None to learn it.
    stretch_fraction : float or None
        Share of the samples that teach the scale and the exponent, and no levels; None where
        all teach both.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    Calibration
        What was learnt.
    """
    first = rest = np.arange(len(errors))
    if stretch_fraction is not None:
        first, rest = _split(len(errors), groups, stretch_fraction, rng)
    scale, power = 1.0, exponent or 0.0
    if len(first):
        scale, power = fit_stretch(samples.take(first), errors[first], settings, exponent)
    if not len(rest):
        return Calibration(scale, power, {})
    stretched = samples.take(rest).stretched(settings, scale, power)
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
    samples: HeldOut, errors: Floats, settings: Settings, exponent: float | None
) -> tuple[float, float]:
    """Find the scale and the exponent with the least mean CRPS.

    Parameters
    ----------
    samples : HeldOut
        What is predicted.
    errors : ndarray of shape (n_samples, n_obs)
        Observed errors; NaN = not seen.
    settings : Settings
        How errors are stretched.
    exponent : float or None
        The exponent; None to learn it.

    Returns
    -------
    scale, exponent : float
        The best ones.
    """

    def crps(parameters: Floats) -> float:
        power = parameters[1] if exponent is None else exponent
        stretched = samples.stretched(settings, math.exp(parameters[0]), power)
        return float(np.nanmean(stretched.crps(errors)))

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
