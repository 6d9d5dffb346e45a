"""Display of selective prediction: the error that remains if the doubtful samples are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray
from ltau.estimator import LTAUEstimator
from ltau.metrics import risk_coverage_area, risk_coverage_curve
from ltau.plotting._axes import Display, draw_reference, ensure_axes, next_color, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RiskCoverageDisplay"]


class RiskCoverageDisplay(Display):
    """Risk-coverage curve: mean error of the samples kept, the most certain kept first.

    The curve of a useful prediction rises from left to right. It lies between that of
    an oracle, which keeps the samples of least error, and the constant of a random
    choice. Make one with `from_estimator` or `from_predictions`; several can share axes.

    Parameters
    ----------
    coverage : ndarray of shape (n_samples,)
        Share of the samples kept.
    risk : ndarray of shape (n_samples,)
        Mean observed error of the samples kept, in the target's unit.
    oracle_risk : ndarray of shape (n_samples,)
        The same with the samples in the order of their observed errors.
    area : float
        Area under the curve, in the target's unit, shown in the legend.
    name : str, optional
        Name of the curve in the legend.
    unit : str, optional
        Unit of the errors, such as ``"eV/Å"``.

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
    ltau.metrics.risk_coverage_curve : The curve.
    ltau.metrics.risk_coverage_area : The area.

    Examples
    --------
    >>> from ltau.plotting import RiskCoverageDisplay
    >>> display = RiskCoverageDisplay.from_predictions([0.1, 0.6, 0.2], [1.0, 3.0, 2.0])
    >>> round(display.area, 3)
    0.183
    """

    def __init__(
        self,
        *,
        coverage: FloatArray,
        risk: FloatArray,
        oracle_risk: FloatArray,
        area: float,
        name: str | None = None,
        unit: str | None = None,
    ) -> None:
        self.coverage = coverage
        self.risk = risk
        self.oracle_risk = oracle_risk
        self.area = area
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
        name: str | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the risk-coverage curve of an estimator's expected errors.

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
        unit : str, optional
            Unit of the errors, for the axis label.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        RiskCoverageDisplay
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
        >>> from ltau.plotting import RiskCoverageDisplay
        >>> rng = np.random.default_rng(0)
        >>> latents, errors = rng.normal(size=(200, 3)), rng.exponential(size=(200, 20))
        >>> estimator = LTAUEstimator().fit(latents[:100], errors[:100])
        >>> display = RiskCoverageDisplay.from_estimator(
        ...     estimator, latents[100:], errors[100:, -1], unit="eV/Å"
        ... )
        >>> display.ax_.get_ylabel()
        'Mean error of those kept (eV/Å)'
        """
        return cls.from_predictions(
            errors,
            estimator.predict(X, strata, y_pred=y_pred),
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
        name: str | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the risk-coverage curve of predicted errors, or of any score.

        Parameters
        ----------
        errors : array-like of shape (n_samples,)
            Observed absolute errors, in the target's unit.
        predicted : array-like of shape (n_samples,)
            Predicted errors, or any score that should rise with the error.
        name : str, optional
            Name of the curve.
        unit : str, optional
            Unit of the errors, for the axis label.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        RiskCoverageDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If lengths differ, errors are NaN, infinite or negative, or predicted
            values are NaN or infinite.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from ltau.plotting import RiskCoverageDisplay
        >>> errors = [0.1, 0.6, 0.2]
        >>> first = RiskCoverageDisplay.from_predictions(errors, [1.0, 3.0, 2.0], name="LTAU")
        >>> second = RiskCoverageDisplay.from_predictions(
        ...     errors, [0.3, 0.2, 0.1], name="ensemble", ax=first.ax_
        ... )
        """
        coverage, risk = risk_coverage_curve(errors, predicted)
        _, oracle_risk = risk_coverage_curve(errors, errors)
        display = cls(
            coverage=coverage,
            risk=risk,
            oracle_risk=oracle_risk,
            area=risk_coverage_area(errors, predicted),
            name=name,
            unit=unit,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curve, and those of the oracle and of chance if the axes lack them.

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
        RiskCoverageDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau.plotting import RiskCoverageDisplay
        >>> display = RiskCoverageDisplay(
        ...     coverage=np.array([0.5, 1.0]),
        ...     risk=np.array([0.2, 0.3]),
        ...     oracle_risk=np.array([0.1, 0.3]),
        ...     area=0.25,
        ... )
        >>> display.plot(name="LTAU").line_.get_label()
        'LTAU: 0.25'
        """
        ax = ensure_axes(ax)
        name = self.name if name is None else name
        area = f"{self.area:.3g}"
        self._draw_references(ax)
        style = {"color": next_color(ax), "label": area if name is None else f"{name}: {area}"}
        (self.line_,) = ax.plot(self.coverage, self.risk, **style | kwargs)
        ax.set_xlabel("Share of samples kept")
        ax.set_ylabel(with_unit("Mean error of those kept", self.unit))
        title = with_unit("Area under curve", self.unit)
        ax.legend(loc="best", title=title, fontsize="small", title_fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_references(self, ax: Axes) -> None:
        mean_error = np.repeat(self.oracle_risk[-1], 2)
        draw_reference(ax, self.coverage[[0, -1]], mean_error, label="Random", linestyle=":")
        draw_reference(ax, self.coverage, self.oracle_risk, label="Oracle", linestyle="--")
