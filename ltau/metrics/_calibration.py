"""Calibration and sharpness: is the predicted distribution right, and how much does it say."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_fractions, as_magnitudes
from ltau.metrics._bootstrap import estimate
from ltau.metrics._protocol import PredictiveDistribution, evaluate

__all__ = ["area_to_diagonal", "calibration_curve", "miscalibration_area", "pit", "sharpness"]


def pit(errors: ArrayLike, distribution: PredictiveDistribution) -> FloatArray:
    """Compute the probability integral transform: the predicted CDF at each error.

    The values are uniform on [0, 1] if the distributions are calibrated.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    distribution : PredictiveDistribution of n_samples rows
        Predicted distribution of each sample's error, such as an `ErrorDistribution`.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        Probability integral transform of each error, in [0, 1].

    Raises
    ------
    ValueError
        If lengths differ, or errors are NaN, infinite or negative.
    TypeError
        If the two are swapped.

    References
    ----------
    .. [1] T. Gneiting, F. Balabdaoui and A. E. Raftery, "Probabilistic forecasts,
       calibration and sharpness", J. R. Stat. Soc. B 69, 243-268 (2007).
       doi:10.1111/j.1467-9868.2007.00587.x

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.metrics import pit
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> pit([0.5, 2.0], distribution)
    array([0.25, 0.95])
    """
    return as_fractions(evaluate(errors, distribution, "cdf"), "the predicted CDF")


def calibration_curve(
    pit_values: ArrayLike, levels: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """Compute how often errors stay below their predicted quantiles.

    Parameters
    ----------
    pit_values : array-like of shape (n_samples,)
        Probability integral transforms, from `pit`.
    levels : array-like of shape (n_levels,), optional
        Probabilities, in [0, 1]. By default 101 levels from 0 to 1.

    Returns
    -------
    levels : ndarray of shape (n_levels,), float64
        The probabilities: the expected fractions.
    observed : ndarray of shape (n_levels,), float64
        Fraction of `pit_values` not above each level. Equal to `levels` if
        calibrated; below them if the predicted errors are too small.

    Raises
    ------
    ValueError
        If `pit_values` or `levels` are empty, NaN or outside [0, 1].

    References
    ----------
    .. [1] V. Kuleshov, N. Fenner and S. Ermon, "Accurate uncertainties for deep
       learning using calibrated regression", ICML (2018).
       doi:10.48550/arXiv.1807.00263

    Examples
    --------
    >>> from ltau.metrics import calibration_curve
    >>> levels, observed = calibration_curve([0.1, 0.2, 0.3, 0.9], [0.25, 0.5, 1.0])
    >>> observed
    array([0.5 , 0.75, 1.  ])
    """
    values = np.sort(as_fractions(pit_values, "pit_values"))
    if levels is None:
        levels = np.linspace(0, 1, 101)
    levels = as_fractions(levels, "levels")
    return levels, np.searchsorted(values, levels, side="right") / len(values)


def miscalibration_area(
    errors: ArrayLike,
    distribution: PredictiveDistribution,
    *,
    groups: ArrayLike | None = None,
) -> float:
    """Compute the area between the calibration curve and the diagonal.

    The integral is exact, from the sorted probability integral transforms. It is 0
    for perfect calibration and at most 0.5, where all errors lie below, or all
    above, what was predicted.

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
        Area, in [0, 0.5]; with `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, or errors are NaN, infinite or negative.
    TypeError
        If the two are swapped.

    Notes
    -----
    A finite sample never reaches 0: n samples leave an area of at least 1 / (4 n),
    and resampling adds to it, so that the interval of a well-calibrated prediction
    lies high.

    References
    ----------
    .. [1] V. Kuleshov, N. Fenner and S. Ermon, "Accurate uncertainties for deep
       learning using calibrated regression", ICML (2018).
       doi:10.48550/arXiv.1807.00263
    .. [2] K. Tran et al., "Methods for comparing uncertainty quantifications for
       material property predictions", Mach. Learn.: Sci. Technol. 1, 025006 (2020).
       doi:10.1088/2632-2153/ab7e1a

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.metrics import miscalibration_area
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> round(miscalibration_area([0.5, 2.0], distribution), 3)
    0.165
    """
    return estimate(area_to_diagonal, pit(errors, distribution), groups=groups)


def sharpness(distribution: PredictiveDistribution, *, groups: ArrayLike | None = None) -> float:
    """Compute the mean predicted standard deviation of the error.

    It does not look at observed errors: of two calibrated predictions, the one
    with the lower value says more.

    Parameters
    ----------
    distribution : PredictiveDistribution of n_samples rows
        Predicted distribution of each sample's error, such as an `ErrorDistribution`.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Mean standard deviation, in the unit of the errors; with `groups`, an
        `Estimate`.

    Raises
    ------
    ValueError
        If the distribution has no rows, or a standard deviation is not finite.

    References
    ----------
    .. [1] T. Gneiting, F. Balabdaoui and A. E. Raftery, "Probabilistic forecasts,
       calibration and sharpness", J. R. Stat. Soc. B 69, 243-268 (2007).
       doi:10.1111/j.1467-9868.2007.00587.x

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.metrics import sharpness
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> round(sharpness(distribution), 3)
    0.718
    """
    spread = as_magnitudes(distribution.std(), "distribution.std()")
    return estimate(np.mean, spread, groups=groups)


def area_to_diagonal(pit_values: FloatArray) -> float:
    """Integral of |F(p) - p| over p from 0 to 1, F the values' empirical CDF."""
    edges = np.concatenate([[0.0], np.sort(pit_values), [1.0]])
    observed = np.linspace(0, 1, len(pit_values) + 1)  # F between successive edges
    above, below = edges[1:] - observed, edges[:-1] - observed
    # The antiderivative of |x| is x|x| / 2.
    return float(np.sum(above * np.abs(above) - below * np.abs(below))) / 2
