"""Display of predicted against observed errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_errors_and_scores, as_magnitudes
from ltau._maths.sorting import sort_averaging_ties
from ltau.estimator import LTAUEstimator
from ltau.metrics import spearman
from ltau.plotting._axes import OKABE_ITO, Display, ensure_axes, label_log_axis, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PredictedErrorDisplay"]

# Errors come arbitrarily close to 0, and a log axis would be stretched to reach them all.
_LOWEST_QUANTILE = 1e-3


class PredictedErrorDisplay(Display):
    """Observed against predicted errors on log axes, as counts in hexagons.

    The mean observed error of each bin of predicted errors lies on the diagonal if the
    predicted errors are right on average. Make one with `from_estimator` or
    `from_predictions`.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    predicted : ndarray of shape (n_samples,)
        Predicted errors, in the target's unit.
    bin_errors, bin_predicted : ndarray of shape (n_bins,)
        Mean observed and predicted errors of bins of equal count of predicted error.
    spearman : float
        Rank correlation of observed with predicted errors, shown in the legend.
    name : str, optional
        Name of the prediction, shown in the legend.
    unit : str, optional
        Unit of the errors, such as ``"eV/Å"``.

    Attributes
    ----------
    hexbin_ : matplotlib PolyCollection
        The hexagons, coloured by the log of the number of samples in them.
    line_ : matplotlib Line2D
        The means of the bins.
    ax_ : matplotlib Axes
        The axes with both.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    ltau.metrics.spearman : The rank correlation.
    ltau.metrics.expected_normalized_calibration_error : One number for the same bins.

    Notes
    -----
    Values below the 0.1 % quantile of those that are positive, zeros among them, are
    drawn at that quantile. The means and the rank correlation take them as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.plotting import PredictedErrorDisplay
    >>> rng = np.random.default_rng(0)
    >>> predicted = rng.lognormal(size=500)
    >>> errors = rng.exponential(predicted)
    >>> display = PredictedErrorDisplay.from_predictions(errors, predicted, unit="eV/Å")
    >>> display.ax_.get_xlabel()
    'Predicted error (eV/Å)'
    """

    def __init__(
        self,
        *,
        errors: FloatArray,
        predicted: FloatArray,
        bin_errors: FloatArray,
        bin_predicted: FloatArray,
        spearman: float,
        name: str | None = None,
        unit: str | None = None,
    ) -> None:
        self.errors = errors
        self.predicted = predicted
        self.bin_errors = bin_errors
        self.bin_predicted = bin_predicted
        self.spearman = spearman
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator: LTAUEstimator,
        X: ArrayLike,
        errors: ArrayLike,
        *,
        strata: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
        n_bins: int = 10,
        name: str | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot observed errors against those that an estimator expects.

        Parameters
        ----------
        estimator : LTAUEstimator
            A fitted estimator.
        X : array-like of shape (n_samples, n_features)
            Latents of the samples.
        errors : array-like of shape (n_samples,)
            Their observed absolute errors, in the target's unit.
        strata : array-like of shape (n_samples,), optional
            Their classes, if the estimator was fitted with classes.
        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            The model's predictions, if the estimator was fitted with targets.
        n_bins : int, default=10
            Number of bins of predicted error, from 1 to n_samples.
        name : str, optional
            Name of the prediction; by default that of the estimator's class.
        unit : str, optional
            Unit of the errors, for the axis labels.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.hexbin`.

        Returns
        -------
        PredictedErrorDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator refuses the latents, lengths differ, errors are NaN,
            infinite or negative, or `n_bins` is out of range.
        UndefinedMetricError
            If all observed or all predicted errors are equal.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import LTAUEstimator
        >>> from ltau.plotting import PredictedErrorDisplay
        >>> rng = np.random.default_rng(0)
        >>> latents, errors = rng.normal(size=(200, 3)), rng.exponential(size=(200, 20))
        >>> estimator = LTAUEstimator().fit(latents[:100], errors[:100])
        >>> display = PredictedErrorDisplay.from_estimator(
        ...     estimator, latents[100:], errors[100:, -1], n_bins=5
        ... )
        >>> display.bin_errors.shape
        (5,)
        """
        return cls.from_predictions(
            errors,
            estimator.predict(X, strata, y_pred=y_pred),
            n_bins=n_bins,
            name=type(estimator).__name__ if name is None else name,
            unit=unit,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        errors: ArrayLike,
        predicted: ArrayLike,
        *,
        n_bins: int = 10,
        name: str | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot observed against predicted errors.

        Parameters
        ----------
        errors : array-like of shape (n_samples,)
            Observed absolute errors, in the target's unit.
        predicted : array-like of shape (n_samples,)
            Predicted errors, in the target's unit.
        n_bins : int, default=10
            Number of bins of predicted error, from 1 to n_samples.
        name : str, optional
            Name of the prediction.
        unit : str, optional
            Unit of the errors, for the axis labels.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.hexbin`.

        Returns
        -------
        PredictedErrorDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If lengths differ, values are NaN, infinite or negative, or `n_bins` is out
            of range.
        UndefinedMetricError
            If all observed or all predicted errors are equal.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from ltau.plotting import PredictedErrorDisplay
        >>> display = PredictedErrorDisplay.from_predictions(
        ...     [0.1, 0.3, 0.2, 0.6], [0.1, 0.2, 0.2, 0.4], n_bins=2
        ... )
        >>> display.bin_predicted, display.bin_errors.round(3)
        (array([0.15, 0.3 ]), array([0.175, 0.425]))
        """
        errors, predicted = as_errors_and_scores(errors, as_magnitudes(predicted, "predicted"))
        if not 1 <= n_bins <= len(errors):
            raise ValueError(f"Expected n_bins from 1 to {len(errors)} samples, got {n_bins!r}.")
        display = cls(
            errors=errors,
            predicted=predicted,
            bin_errors=_means_of_bins(sort_averaging_ties(errors, by=predicted), n_bins),
            bin_predicted=_means_of_bins(np.sort(predicted), n_bins),
            spearman=spearman(errors, predicted),
            name=name,
            unit=unit,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the hexagons, the means of the bins and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        name : str, optional
            Name of the prediction; by default that of the display.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.hexbin`.

        Returns
        -------
        PredictedErrorDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau.plotting import PredictedErrorDisplay
        >>> display = PredictedErrorDisplay(
        ...     errors=np.array([0.1, 0.3]),
        ...     predicted=np.array([0.1, 0.2]),
        ...     bin_errors=np.array([0.1, 0.3]),
        ...     bin_predicted=np.array([0.1, 0.2]),
        ...     spearman=1.0,
        ... )
        >>> display.plot(name="LTAU").ax_.get_legend().get_title().get_text()
        'LTAU: Spearman 1.00'
        """
        ax = ensure_axes(ax)
        name = self.name if name is None else name
        x, y = _raised(self.predicted), _raised(self.errors)
        # The colour scale begins below 1, where the map is white: one sample must be seen.
        style: dict[str, Any] = {"gridsize": 40, "cmap": "Blues", "vmin": 0.3, "linewidths": 0.2}
        style |= {"bins": "log", "mincnt": 1}
        self.hexbin_ = ax.hexbin(x, y, xscale="log", yscale="log", **style | kwargs)
        span = np.array([x.min(), x.max()])
        ax.plot(span, span, color="black", linestyle="--", linewidth=1, label="Perfect")
        (self.line_,) = ax.plot(
            self.bin_predicted, self.bin_errors, "o-", color=OKABE_ITO[1], ms=4, label="Mean of bin"
        )
        ax.set(
            xlabel=with_unit("Predicted error", self.unit),
            ylabel=with_unit("Observed error", self.unit),
        )
        label_log_axis(ax.xaxis)
        label_log_axis(ax.yaxis)
        correlation = f"Spearman {self.spearman:.2f}"
        title = correlation if name is None else f"{name}: {correlation}"
        ax.legend(loc="upper left", title=title, fontsize="small", title_fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _means_of_bins(ordered: FloatArray, n_bins: int) -> FloatArray:
    return np.array([part.mean() for part in np.array_split(ordered, n_bins)])


def _raised(values: FloatArray) -> FloatArray:
    """Raise the lowest values, which a log axis could not show, to the lowest it will."""
    return np.maximum(values, np.quantile(values[values > 0], _LOWEST_QUANTILE))
