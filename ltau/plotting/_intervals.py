"""Display of a model's predictions with their error bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.numbers import FloatArray, as_floats, check_same_length
from ltau.estimator import LTAUEstimator
from ltau.plotting._axes import OKABE_ITO, Display, draw_reference, ensure_axes, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PredictionIntervalDisplay"]

_INSIDE, _OUTSIDE = OKABE_ITO[0], OKABE_ITO[1]


class PredictionIntervalDisplay(Display):
    """Predictions against observed targets, each with its error bar.

    An error bar that misses the diagonal misses its target: it has another colour and another
    marker. Make one with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_samples,)
        Observed and predicted targets.
    interval : ndarray of shape (n_samples, 2)
        Lower and upper ends of the error bars.
    name : str, optional
        Name of the prediction, shown in the legend.
    unit : str, optional
        Unit of the target, such as ``"eV"``.

    Attributes
    ----------
    coverage : float
        Share of the targets that lie inside their error bars.
    inside_, outside_ : matplotlib ErrorbarContainer
        The samples inside and outside of their error bars.
    ax_ : matplotlib Axes
        The axes with both.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    ltau.metrics.coverage : The share, with an interval.

    Examples
    --------
    >>> from ltau.plotting import PredictionIntervalDisplay
    >>> display = PredictionIntervalDisplay.from_predictions(
    ...     [1.0, 2.0], [1.1, 1.5], [[0.8, 1.4], [1.2, 1.8]], unit="eV"
    ... )
    >>> display.coverage
    0.5
    """

    def __init__(
        self,
        *,
        y_true: FloatArray,
        y_pred: FloatArray,
        interval: FloatArray,
        name: str | None = None,
        unit: str | None = None,
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.interval = interval
        self.name = name
        self.unit = unit

    @property
    def coverage(self) -> float:
        """Share of the targets that lie inside their error bars."""
        return float(self._is_inside().mean())

    @classmethod
    def from_estimator(
        cls,
        estimator: LTAUEstimator,
        X: ArrayLike,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        level: float = 0.9,
        strata: ArrayLike | None = None,
        n_shown: int = 200,
        name: str | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot a model's predictions with the error bars of an estimator.

        Parameters
        ----------
        estimator : LTAUEstimator
            A fitted estimator.
        X : array-like of shape (n_samples, n_features)
            Latents of the samples.
        y_true, y_pred : array-like of shape (n_samples,)
            Observed targets, and the model's predictions.
        level : float, default=0.9
            Probability, from 0 to 1, that the target lies inside.
        strata : array-like of shape (n_samples,), optional
            Classes of the samples, if the estimator was fitted with classes.
        n_shown : int, default=200
            Number of samples that are drawn at most, evenly spaced in the order of their
            targets. The coverage is that of all.
        name : str, optional
            Name of the prediction; by default that of the estimator's class.
        unit : str, optional
            Unit of the target, for the axis labels.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        PredictionIntervalDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator refuses the latents or the level, lengths differ, or values are
            NaN or infinite.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import LTAUEstimator
        >>> from ltau.plotting import PredictionIntervalDisplay
        >>> rng = np.random.default_rng(0)
        >>> latents, errors = rng.normal(size=(200, 3)), rng.exponential(size=(200, 20))
        >>> estimator = LTAUEstimator().fit(latents[:100], errors[:100])
        >>> y_pred = latents[100:, 0]
        >>> display = PredictionIntervalDisplay.from_estimator(
        ...     estimator, latents[100:], y_pred + errors[100:, -1], y_pred
        ... )
        >>> display.ax_.get_xlabel()
        'Observed target'
        """
        return cls.from_predictions(
            y_true,
            y_pred,
            estimator.predict_interval(X, y_pred, level, strata),
            n_shown=n_shown,
            name=type(estimator).__name__ if name is None else name,
            unit=unit,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        interval: ArrayLike,
        *,
        n_shown: int = 200,
        name: str | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot predictions with their error bars.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            Observed and predicted targets.
        interval : array-like of shape (n_samples, 2)
            Lower and upper ends of the error bars, around the predictions.
        n_shown : int, default=200
            Number of samples that are drawn at most, evenly spaced in the order of their
            targets. The coverage is that of all.
        name : str, optional
            Name of the prediction.
        unit : str, optional
            Unit of the target, for the axis labels.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        PredictionIntervalDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If lengths differ, values are NaN or infinite, a prediction lies outside of its
            own error bar, or `n_shown` is not positive.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from ltau.plotting import PredictionIntervalDisplay
        >>> display = PredictionIntervalDisplay.from_predictions([1.0], [1.1], [[0.8, 1.4]])
        >>> display.ax_.get_ylabel()
        'Predicted target'
        """
        y_true, y_pred = as_floats(y_true, "y_true"), as_floats(y_pred, "y_pred")
        interval = as_floats(interval, "interval", ndim=2)
        check_same_length(y_true=y_true, y_pred=y_pred, interval=interval)
        if interval.shape[1] != 2:
            raise ValueError(f"Expected an interval of shape (n_samples, 2), got {interval.shape}.")
        n_wrong = np.count_nonzero((interval[:, 0] > y_pred) | (y_pred > interval[:, 1]))
        if n_wrong:
            raise ValueError(
                f"Expected predictions inside of their own error bars, got {n_wrong} outside."
            )
        if n_shown < 1:
            raise ValueError(f"Expected n_shown >= 1, got {n_shown!r}.")
        display = cls(y_true=y_true, y_pred=y_pred, interval=interval, name=name, unit=unit)
        return display.plot(ax, n_shown=n_shown, **kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        n_shown: int = 200,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the predictions, their error bars and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        n_shown : int, default=200
            Number of samples that are drawn at most.
        name : str, optional
            Name of the prediction; by default that of the display.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        PredictionIntervalDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau.plotting import PredictionIntervalDisplay
        >>> display = PredictionIntervalDisplay(
        ...     y_true=np.array([1.0, 2.0]),
        ...     y_pred=np.array([1.1, 1.5]),
        ...     interval=np.array([[0.8, 1.4], [1.2, 1.8]]),
        ... )
        >>> display.plot(name="LTAU").ax_.get_legend().get_title().get_text()
        'LTAU: 50.0 % inside'
        """
        ax = ensure_axes(ax)
        name = self.name if name is None else name
        span = np.array([self.y_true.min(), self.y_true.max()])
        draw_reference(ax, span, span, label="Perfect", linestyle="--")
        order = np.argsort(self.y_true, kind="stable")
        places = np.linspace(0, len(order) - 1, min(n_shown, len(order))).round().astype(np.intp)
        is_shown = np.zeros(len(order), bool)
        is_shown[order[places]] = True
        is_inside = self._is_inside()
        self.inside_ = self._draw(ax, is_shown & is_inside, _INSIDE, "o", "Inside", kwargs)
        self.outside_ = self._draw(ax, is_shown & ~is_inside, _OUTSIDE, "D", "Outside", kwargs)
        ax.set(
            xlabel=with_unit("Observed target", self.unit),
            ylabel=with_unit("Predicted target", self.unit),
        )
        share = f"{100 * self.coverage:.1f} % inside"
        title = share if name is None else f"{name}: {share}"
        ax.legend(loc="upper left", title=title, fontsize="small", title_fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _is_inside(self) -> NDArray[np.bool_]:
        low, high = self.interval.T
        inside: NDArray[np.bool_] = (low <= self.y_true) & (self.y_true <= high)
        return inside

    def _draw(
        self,
        ax: Axes,
        rows: NDArray[np.bool_],
        color: str,
        marker: str,
        label: str,
        style: dict[str, Any],
    ) -> Any:
        """Draw some of the samples."""
        ends = np.abs(self.interval[rows] - self.y_pred[rows, None]).T
        own: dict[str, Any] = {"color": color, "fmt": marker, "label": label}
        own |= {"ms": 3, "lw": 0.8, "alpha": 0.8}
        return ax.errorbar(self.y_true[rows], self.y_pred[rows], yerr=ends, **own | style)
