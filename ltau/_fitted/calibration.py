"""What a held-out set teaches: a scale, an exponent of distance, and conformal levels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ltau._errors.checks import check_groups, check_observed
from ltau._files.arrays import Arrays
from ltau._fitted.conformal import conformal_scores
from ltau._fitted.domain import stretch
from ltau._fitted.prediction import PredictionMixin
from ltau.distribution import ErrorDistribution

__all__ = ["Calibration", "CalibrationMixin", "learn"]

Floats = NDArray[np.float64]

_SCALES = (1e-3, 1e3)
_EXPONENTS = (0.0, 4.0)


@dataclass(frozen=True)
class Calibration:
    """What `LTAUEstimator.calibrate` learnt.

    Parameters
    ----------
    scale : float
        Factor of all predicted errors.
    exponent : float
        Power of the `ood_score` by which each predicted error is stretched besides.
    scores : mapping of label to ndarray of shape (n,), float64
        Conformal scores of the calibration samples, ascending, of each group; the label
        is None where there are no groups. Empty where no levels were learnt.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau import Calibration
    >>> calibration = Calibration(1.0, 0.0, {None: np.linspace(0.02, 1.0, 50)})
    >>> calibration.levels(0.9)    # the 46th of 50 scores
    array([0.92])
    """

    scale: float
    exponent: float
    scores: Mapping[Any, Floats]

    @property
    def grouped(self) -> bool:
        """Whether levels were learnt within groups."""
        return bool(self.scores) and None not in self.scores

    def levels(self, q: float, groups: NDArray[np.generic] | None = None) -> Floats:
        r"""Find the quantile levels that keep a probability in truth.

        Parameters
        ----------
        q : float
            The probability, from 0 to 1.
        groups : ndarray of shape (n,), optional
            Group of each sample.

        Returns
        -------
        ndarray of shape (n,), or (1,) without groups
            Of the n scores of the group, the :math:`\lceil (n + 1) q \rceil`-th; infinite
            where there is none, with a warning.

        Raises
        ------
        ValueError
            If a group has no scores.
        """
        if groups is None:
            return np.array([self._level(q, None)])
        labels, codes = np.unique(groups, return_inverse=True)
        return np.array([self._level(q, label) for label in labels.tolist()])[codes]

    def _level(self, q: float, label: Any) -> float:
        if label not in self.scores:
            known = ", ".join(map(str, self.scores))
            raise ValueError(f"Group {label} was not calibrated; those that were: {known}.")
        scores = self.scores[label]
        rank = math.ceil(round((len(scores) + 1) * q, 9))  # 100 * 0.9 must not become 91
        if rank > len(scores):
            where = "" if label is None else f" in group {label}"
            needs = f"{math.ceil(round(q / (1 - q), 9))}" if q < 1 else "infinitely many"
            warnings.warn(
                f"A level of {q:g} needs {needs} calibration samples{where}, there are "
                f"{len(scores)}: its bound is infinite.",
                UserWarning,
                stacklevel=2,
            )
            return math.inf
        return float(scores[rank - 1]) if rank else 0.0

    def to_arrays(self) -> Arrays:
        """Give the arrays that the calibration is saved as.

        Returns
        -------
        dict of str to ndarray
            The arrays.
        """
        arrays: Arrays = {"stretch": np.array([self.scale, self.exponent])}
        if self.scores:
            arrays["scores"] = np.concatenate(list(self.scores.values()))
            arrays["sizes"] = np.array([len(scores) for scores in self.scores.values()])
            if None not in self.scores:
                arrays["groups"] = np.array(list(self.scores))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a calibration of what `to_arrays` gave.

        Parameters
        ----------
        arrays : dict of str to ndarray
            The arrays.

        Returns
        -------
        Calibration
            The calibration.

        Raises
        ------
        KeyError, ValueError
            If the arrays do not fit each other.
        """
        scale, exponent = map(float, arrays["stretch"])
        if not (0 < scale < np.inf and 0 <= exponent < np.inf):
            raise ValueError("Expected a positive scale and a non-negative exponent.")
        if "scores" not in arrays:
            return cls(scale, exponent, {})
        scores, sizes = arrays["scores"].astype(np.float64), arrays["sizes"]
        labels = [None] if "groups" not in arrays else arrays["groups"].tolist()
        parts = np.split(scores, np.cumsum(sizes)[:-1])
        if sum(sizes) != len(scores) or min(sizes) < 1 or len(set(labels)) != len(parts):
            raise ValueError("Expected scores of each group.")
        if not all((np.diff(part) >= 0).all() and part[0] >= 0 for part in parts):
            raise ValueError("Expected non-negative scores that rise.")
        return cls(scale, exponent, dict(zip(labels, parts, strict=True)))


class CalibrationMixin(PredictionMixin):
    """Learning from held-out samples."""

    random_state: int | None

    def calibrate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        exponent: float | None = None,
        stretch_fraction: float = 0.5,
    ) -> Self:
        r"""Learn from held-out samples how far predicted errors are off, and correct them.

        One part of the samples teaches a common scale, and the exponent of the `ood_score`,
        by the least mean CRPS. The others teach conformal levels: `predict_quantile` and
        `predict_interval` then keep

        .. math:: P(e \le \text{predict\_quantile}(z, q)) \ge q

        for samples that are exchangeable with those: drawn alike, and independent of the
        training. Nothing is guaranteed of samples from elsewhere. A former calibration is
        replaced; `reset_calibration` takes it away.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents of samples that the model was not trained on.
        y : array-like of shape (n_samples,) or (n_samples, n_obs)
            Their observed errors; NaN among several observations = not seen.
        strata : array-like of shape (n_samples,), optional
            As in `predict`.
        groups : array-like of shape (n_samples,), optional
            Group of each sample, an integer or a string: levels are learnt, and kept,
            within each group (Mondrian).
        exponent : float, optional
            The exponent of the `ood_score`; by default it is learnt with the scale.
            Samples from inside the domain say little about what is right outside.
        stretch_fraction : float, default=0.5
            Share of the samples, drawn at random, that teach the scale and the exponent.
            0: neither is learnt, the scale is 1 and the exponent `distance_scaling`,
            unless it is given. 1: no levels are learnt.

        Returns
        -------
        LTAUEstimator
            The calibrated estimator.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; if errors are negative, infinite or missing; or a number is out
            of range.

        References
        ----------
        Vovk, Gammerman and Shafer, *Algorithmic Learning in a Random World*, Springer
        2005, doi:10.1007/b106715. Gneiting and Raftery, *J. Am. Stat. Assoc.* 102 (2007)
        359, doi:10.1198/016214506000001437.
        """
        check_is_fitted(self)
        observed = check_observed(y)
        check_consistent_length(X, observed)
        labels = check_groups(groups, len(observed))
        if exponent is not None and not 0 <= exponent < np.inf:
            raise ValueError(f"Expected a non-negative, finite exponent, got {exponent!r}.")
        if not 0 <= stretch_fraction <= 1:
            raise ValueError(f"Expected a stretch_fraction from 0 to 1, got {stretch_fraction!r}.")
        before, self.calibration_ = self.calibration_, Calibration(1.0, 0.0, {})
        try:
            plain, score = self.predict_distribution(X, strata, return_ood_score=True)
        finally:
            self.calibration_ = before
        power = self.distance_scaling if stretch_fraction == 0 and exponent is None else exponent
        self.calibration_ = learn(
            plain,
            score,
            observed,
            labels,
            exponent=power,
            stretch_fraction=stretch_fraction,
            rng=np.random.default_rng(self.random_state),
        )
        return self

    def reset_calibration(self) -> Self:
        """Take the calibration away: predictions are again those before `calibrate`.

        Returns
        -------
        LTAUEstimator
            The estimator.
        """
        check_is_fitted(self)
        self.calibration_ = None
        return self


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
    order = rng.permutation(len(errors))
    n_stretch = round(stretch_fraction * len(errors))
    first, rest = order[:n_stretch], order[n_stretch:]
    scale, power = 1.0, exponent or 0.0
    if n_stretch:
        scale, power = fit_stretch(plain[first], ood_score[first], errors[first], exponent)
    if not len(rest):
        return Calibration(scale, power, {})
    stretched = plain[rest].scaled(stretch(scale, power, ood_score[rest]))
    scores = conformal_scores(stretched, errors[rest])
    if groups is None:
        return Calibration(scale, power, {None: _ascending(scores)})
    members = groups[rest]
    by_group = {label: _ascending(scores[members == label]) for label in np.unique(members)}
    return Calibration(scale, power, {label.item(): part for label, part in by_group.items()})


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
        factor = stretch(math.exp(parameters[0]), power, ood_score)
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
