"""Display of how far samples lie from the training domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_floats, check_positive
from ltau._maths.domain import FARTHEST
from ltau.estimator import LTAUEstimator
from ltau.plotting._axes import Display, ensure_axes, label_log_axis, next_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["OODScoreDisplay"]

_BIN = 0.04  # powers of ten; the same bins for all samples, whose shares are compared


class OODScoreDisplay(Display):
    """Distribution of `ood_score` on a log axis, with the threshold of `predict_ood`.

    Draw several sets of samples into the same axes, such as those like the training set and
    those that are to be predicted. Make one with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Distances from the training domain, about 1 inside.
    threshold : float, optional
        Score above which samples are called outside.
    name : str, optional
        Name of the samples, shown in the legend.

    Attributes
    ----------
    share_outside : float or None
        Share of the samples above the threshold, if there is one.
    patch_ : matplotlib StepPatch
        The histogram.
    ax_ : matplotlib Axes
        The axes with it.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    ltau.LTAUEstimator.predict_ood : Say which samples lie outside.

    Notes
    -----
    Scores below 1/1,000 or above 1,000, zero and infinity among them, are drawn there.

    Examples
    --------
    >>> from ltau.plotting import OODScoreDisplay
    >>> display = OODScoreDisplay.from_predictions([0.9, 1.1, 1.0, 7.0], threshold=1.5)
    >>> display.share_outside
    0.25
    """

    def __init__(
        self, *, scores: FloatArray, threshold: float | None = None, name: str | None = None
    ) -> None:
        self.scores = scores
        self.threshold = threshold
        self.name = name

    @property
    def share_outside(self) -> float | None:
        """Share of the samples above the threshold, if there is one."""
        return None if self.threshold is None else float((self.scores > self.threshold).mean())

    @classmethod
    def from_estimator(
        cls,
        estimator: LTAUEstimator,
        X: ArrayLike,
        *,
        strata: ArrayLike | None = None,
        false_positive_rate: float = 0.05,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot how far samples lie from the training domain of an estimator.

        Parameters
        ----------
        estimator : LTAUEstimator
            A fitted estimator.
        X : array-like of shape (n_samples, n_features)
            Latents of the samples.
        strata : array-like of shape (n_samples,), optional
            Their classes, if the estimator was fitted with classes.
        false_positive_rate : float, default=0.05
            Share of the training samples above the threshold, as in `predict_ood`.
        name : str, optional
            Name of the samples; by default that of the estimator's class.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.stairs`.

        Returns
        -------
        OODScoreDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator refuses the latents, or the rate lies outside (0, 1).
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import LTAUEstimator
        >>> from ltau.plotting import OODScoreDisplay
        >>> rng = np.random.default_rng(0)
        >>> latents = rng.normal(size=(300, 3))
        >>> estimator = LTAUEstimator().fit(latents[:200], rng.exponential(size=(200, 20)))
        >>> near = OODScoreDisplay.from_estimator(estimator, latents[200:], name="like training")
        >>> far = OODScoreDisplay.from_estimator(
        ...     estimator, latents[200:] + 6.0, name="shifted", ax=near.ax_
        ... )
        >>> near.share_outside < 0.2, far.share_outside > 0.8
        (True, True)
        """
        return cls.from_predictions(
            estimator.ood_score(X, strata),
            threshold=estimator.ood_threshold(false_positive_rate),
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        scores: ArrayLike,
        *,
        threshold: float | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot scores of distance.

        Parameters
        ----------
        scores : array-like of shape (n_samples,)
            Distances from the training domain, about 1 inside.
        threshold : float, optional
            Score above which samples are called outside.
        name : str, optional
            Name of the samples.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.stairs`.

        Returns
        -------
        OODScoreDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If scores are NaN or negative, or the threshold is not positive.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from ltau.plotting import OODScoreDisplay
        >>> display = OODScoreDisplay.from_predictions([0.9, 1.1, 1.0, 7.0], name="new molecules")
        >>> display.ax_.get_xlabel()
        'ood_score: distance from the training domain'
        """
        scores = as_floats(scores, "scores", allow_infinite=True)
        if scores.min() < 0:
            raise ValueError(f"Expected scores that are not negative, got {scores.min():g}.")
        if threshold is not None:
            check_positive(threshold, "threshold")
        return cls(scores=scores, threshold=threshold, name=name).plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the histogram, and the threshold if the axes lack it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        name : str, optional
            Name of the samples; by default that of the display.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.stairs`.

        Returns
        -------
        OODScoreDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau.plotting import OODScoreDisplay
        >>> display = OODScoreDisplay(scores=np.array([0.9, 1.0, 1.2, 9.0]), threshold=1.5)
        >>> display.plot(name="slabs").patch_.get_label()
        'slabs: 25.0 % outside'
        """
        ax = ensure_axes(ax)
        name = self.name if name is None else name
        scores = self.scores.clip(1 / FARTHEST, FARTHEST)  # a log axis has no 0, and no infinity
        steps = np.log10(scores) / _BIN
        places = np.arange(np.floor(steps.min()), np.floor(steps.max()) + 2)
        counts, _ = np.histogram(steps, bins=places)
        style: dict[str, Any] = {"color": next_color(ax), "label": self._label(name), "lw": 1.5}
        self.patch_ = ax.stairs(counts / len(scores), 10.0 ** (_BIN * places), **style | kwargs)
        threshold = self.threshold
        if threshold is not None and not any(
            np.array_equal(line.get_xdata(), [threshold, threshold]) for line in ax.lines
        ):
            ax.axvline(threshold, color="0.4", ls="--", lw=1, label=f"Threshold {threshold:.3g}")
        ax.set(
            xscale="log",
            xlabel="ood_score: distance from the training domain",
            ylabel="Share of samples",
        )
        label_log_axis(ax.xaxis)
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, name: str | None) -> str:
        outside = self.share_outside
        share = f"{len(self.scores):,} samples"
        if outside is not None:
            share = f"{100 * outside:.1f} % outside"
        return share if name is None else f"{name}: {share}"
