"""What an estimator learns from held-out samples, and how it is scored on them."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ltau._errors.checks import check_observed
from ltau._fitted.learning import learn
from ltau._inputs.labels import check_groups
from ltau.estimator._parameters import MOST_EXPONENT
from ltau.estimator._predictions import Predictions

__all__ = ["HeldOutSamples"]


class HeldOutSamples(Predictions):
    """Calibration and score of a fitted estimator."""

    def calibrate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
        exponent: float | Literal["learn"] | None = None,
        stretch_fraction: float | None = None,
    ) -> Self:
        r"""Learn from held-out samples how far predicted errors are off, and correct them.

        The samples teach a common scale, by the least mean CRPS, and conformal levels:
        `predict_quantile` and `predict_interval` then keep

        .. math:: P(e \le \text{predict\_quantile}(z, q)) \ge q

        for samples that are exchangeable with those: drawn alike, and independent of the
        training. That is exact if other samples teach the scale, see `stretch_fraction`, and
        differs by about one sample if the same ones do, which makes the best of few.
        Nothing is guaranteed of samples from elsewhere. A former calibration is
        replaced; `reset_calibration` takes it away. It belongs to the parameters that it was
        made with: after another is set, predictions are refused until this is called again.

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
        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            As in `predict`.
        exponent : float, "learn" or None, default=None
            Takes the place of `distance_scaling`, which stays by default. ``"learn"`` finds
            it with the scale: for samples that reach beyond the domain, as those from inside
            say nothing about what is right outside.
        stretch_fraction : float, optional
            Share of the samples, drawn at random, that teach the scale, and the exponent if
            it is learnt; the others teach the levels. By default all teach both. 0: the scale
            is 1. 1: no levels are learnt.

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
        self._check_parameter("random_state")
        if self._is_calibration_stale():
            self.reset_calibration()
        predictor = self._error_predictor(X, strata, y_pred)
        observed = check_observed(y)
        check_consistent_length(X, observed)
        labels = check_groups(groups, len(observed))
        if stretch_fraction is not None and not 0 <= stretch_fraction <= 1:
            raise ValueError(f"Expected a stretch_fraction from 0 to 1, got {stretch_fraction!r}.")
        self.calibration_ = learn(
            predictor.held_out(),
            observed,
            labels,
            self.settings(),
            exponent=self._exponent(exponent, stretch_fraction),
            stretch_fraction=stretch_fraction,
            rng=np.random.default_rng(self.random_state),
        )
        return self

    def _exponent(
        self, exponent: float | Literal["learn"] | None, stretch_fraction: float | None
    ) -> float | None:
        """Find the exponent of a calibration; None if it is to be learnt."""
        if exponent is None:
            return float(self.distance_scaling)
        if isinstance(exponent, str):
            if exponent != "learn":
                raise ValueError(f"Expected an exponent, 'learn' or None, got {exponent!r}.")
            if stretch_fraction == 0:
                raise ValueError("Expected a stretch_fraction above 0 to learn from, got 0.")
            return None
        if not 0 <= exponent <= MOST_EXPONENT:
            raise ValueError(f"Expected an exponent from 0 to {MOST_EXPONENT:g}, got {exponent!r}.")
        return float(exponent)

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

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        y_pred: ArrayLike | None = None,
    ) -> float:
        """Score the predicted distributions against observed errors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        y : array-like of shape (n_samples,) or (n_samples, n_obs)
            Observed errors, non-negative; NaN among several observations = not seen.
        strata, y_pred
            As in `predict`.

        Returns
        -------
        float
            Minus the mean continuous ranked probability score, in the unit of the
            error: higher is better.

        Raises
        ------
        ValueError
            If lengths differ, or an error is negative, infinite, or NaN for all of a
            sample's observations.
        """
        errors = check_observed(y)
        check_consistent_length(X, errors)
        total, start = 0.0, 0
        for distribution in self._error_predictor(X, strata, y_pred).distributions():
            observed = errors[start : start + len(distribution)]
            total += np.nanmean(distribution.crps(observed), axis=1).sum()
            start += len(distribution)
        return -float(total) / len(errors)
