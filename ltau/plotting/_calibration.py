"""Display of calibration: how often errors stay below their predicted quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray
from ltau.estimator import LTAUEstimator
from ltau.metrics import PredictiveDistribution, calibration_curve, miscalibration_area, pit
from ltau.plotting._axes import Display, draw_reference, ensure_axes, next_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ErrorCalibrationDisplay"]


class ErrorCalibrationDisplay(Display):
    """Calibration curve: the share of errors below each predicted quantile.

    A calibrated prediction follows the diagonal. The curve runs below it where the
    predicted errors are too small, above it where they are too large. Make one with
    `from_estimator` or `from_predictions`; several can share axes.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        Predicted probability levels, in [0, 1].
    observed : ndarray of shape (n_levels,)
        Share of the errors below the quantile of each level.
    area : float
        Area between the curve and the diagonal, shown in the legend.
    name : str, optional
        Name of the curve in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    ax_ : matplotlib Axes
        The axes with the curve.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    ltau.metrics.calibration_curve : The curve.
    ltau.metrics.miscalibration_area : The area.

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.plotting import ErrorCalibrationDisplay
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> display = ErrorCalibrationDisplay.from_predictions([0.5, 2.0], distribution)
    >>> round(display.area, 3)
    0.165
    """

    def __init__(
        self, *, levels: FloatArray, observed: FloatArray, area: float, name: str | None = None
    ) -> None:
        self.levels = levels
        self.observed = observed
        self.area = area
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: LTAUEstimator,
        X: ArrayLike,
        errors: ArrayLike,
        *,
        strata: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the calibration of an estimator on samples of known error.

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
        name : str, optional
            Name of the curve; by default that of the estimator's class.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        ErrorCalibrationDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator refuses the latents, lengths differ, or errors are NaN,
            infinite or negative.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import LTAUEstimator
        >>> from ltau.plotting import ErrorCalibrationDisplay
        >>> rng = np.random.default_rng(0)
        >>> latents, errors = rng.normal(size=(200, 3)), rng.exponential(size=(200, 20))
        >>> estimator = LTAUEstimator().fit(latents[:100], errors[:100])
        >>> display = ErrorCalibrationDisplay.from_estimator(
        ...     estimator, latents[100:], errors[100:, -1]
        ... )
        >>> display.name
        'LTAUEstimator'
        """
        return cls.from_predictions(
            errors,
            estimator.predict_distribution(X, strata, y_pred=y_pred),
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        errors: ArrayLike,
        distribution: PredictiveDistribution,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the calibration of predicted distributions.

        Parameters
        ----------
        errors : array-like of shape (n_samples,)
            Observed absolute errors, in the target's unit.
        distribution : PredictiveDistribution of n_samples rows
            Predicted distribution of each sample's error, such as an `ErrorDistribution`.
        name : str, optional
            Name of the curve.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        ErrorCalibrationDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If lengths differ, or errors are NaN, infinite or negative.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from ltau import ErrorDistribution
        >>> from ltau.plotting import ErrorCalibrationDisplay
        >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
        >>> inside = ErrorCalibrationDisplay.from_predictions(
        ...     [0.5, 2.0], distribution, name="in domain"
        ... )
        >>> shifted = ErrorCalibrationDisplay.from_predictions(
        ...     [1.5, 2.5], distribution, name="shifted", ax=inside.ax_
        ... )
        """
        levels, observed = calibration_curve(pit(errors, distribution))
        area = miscalibration_area(errors, distribution)
        display = cls(levels=levels, observed=observed, area=area, name=name)
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curve, and the diagonal if the axes lack it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        name : str, optional
            Name of the curve; by default that of the display.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        ErrorCalibrationDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau.plotting import ErrorCalibrationDisplay
        >>> levels = np.linspace(0, 1, 11)
        >>> display = ErrorCalibrationDisplay(levels=levels, observed=levels**2, area=1 / 6)
        >>> display.plot(name="LTAU").line_.get_label()
        'LTAU: 0.167'
        """
        ax = ensure_axes(ax)
        name = self.name if name is None else name
        area = f"{self.area:.3f}"
        draw_reference(ax, np.arange(2.0), np.arange(2.0), label="Perfect", linestyle="--")
        style = {"color": next_color(ax), "label": area if name is None else f"{name}: {area}"}
        (self.line_,) = ax.plot(self.levels, self.observed, **style | kwargs)
        ax.set(xlabel="Predicted probability level", ylabel="Observed share of errors below")
        ax.legend(title="Miscalibration area", fontsize="small", title_fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
