"""Display of the predicted densities of a few samples' errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_magnitudes, check_same_length
from ltau.distribution import ErrorDistribution
from ltau.estimator import LTAUEstimator
from ltau.plotting._axes import (
    Display,
    draw_reference,
    ensure_axes,
    label_log_axis,
    next_color,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import StepPatch

__all__ = ["ErrorDensityDisplay"]


class ErrorDensityDisplay(Display):
    """Predicted densities of the errors of a few samples, with the errors observed.

    Areas are probabilities: on a log axis the density is that per decade of error, on a
    linear one that per unit of error. Make one with `from_estimator` or
    `from_predictions`.

    Parameters
    ----------
    distribution : ErrorDistribution of n_samples rows
        Predicted distribution of each sample's error.
    errors : ndarray of shape (n_samples,), optional
        Observed absolute errors, in the target's unit, to be marked.
    name : str or sequence of n_samples str, optional
        Name of each sample in the legend; by default "Sample 0" and so on.
    unit : str, optional
        Unit of the errors, such as ``"eV/Å"``.

    Attributes
    ----------
    patches_ : list of n_samples matplotlib StepPatch
        The densities.
    lines_ : list of matplotlib Line2D
        The marks of the observed errors; empty without those.
    ax_ : matplotlib Axes
        The axes with both.
    figure_ : matplotlib Figure
        The figure of the axes.

    Notes
    -----
    On a log axis a first bin that reaches down to 0 is drawn as wide as the next one.

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.plotting import ErrorDensityDisplay
    >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
    >>> display = ErrorDensityDisplay.from_predictions(distribution, [0.4, 2.5], unit="eV/Å")
    >>> display.ax_.get_xlabel()
    'Error (eV/Å)'
    """

    def __init__(
        self,
        *,
        distribution: ErrorDistribution,
        errors: FloatArray | None = None,
        name: str | Sequence[str] | None = None,
        unit: str | None = None,
    ) -> None:
        self.distribution = distribution
        self.errors = errors
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator: LTAUEstimator,
        X: ArrayLike,
        errors: ArrayLike | None = None,
        *,
        strata: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
        xscale: Literal["log", "linear"] | None = None,
        name: str | Sequence[str] | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the densities that an estimator predicts.

        Parameters
        ----------
        estimator : LTAUEstimator
            A fitted estimator.
        X : array-like of shape (n_samples, n_features)
            Latents of a few samples.
        errors : array-like of shape (n_samples,), optional
            Their observed absolute errors, in the target's unit, to be marked.
        strata : array-like of shape (n_samples,), optional
            Their classes, if the estimator was fitted with classes.
        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            The model's predictions, if the estimator was fitted with targets.
        xscale : {"log", "linear"}, optional
            Scale of the error axis; by default linear for bins of one width, else log.
        name : str or sequence of n_samples str, optional
            Name of each sample; by default "Sample 0" and so on.
        unit : str, optional
            Unit of the errors, for the axis labels.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.stairs` for each density.

        Returns
        -------
        ErrorDensityDisplay
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
        >>> from ltau.plotting import ErrorDensityDisplay
        >>> rng = np.random.default_rng(0)
        >>> latents, errors = rng.normal(size=(100, 3)), rng.exponential(size=(100, 20))
        >>> estimator = LTAUEstimator().fit(latents, errors)
        >>> display = ErrorDensityDisplay.from_estimator(estimator, latents[:2], errors[:2, -1])
        >>> display.ax_.get_xscale()
        'log'
        """
        return cls.from_predictions(
            estimator.predict_distribution(X, strata, y_pred=y_pred),
            errors,
            xscale=xscale,
            name=name,
            unit=unit,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        distribution: ErrorDistribution,
        errors: ArrayLike | None = None,
        *,
        xscale: Literal["log", "linear"] | None = None,
        name: str | Sequence[str] | None = None,
        unit: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot predicted densities.

        Parameters
        ----------
        distribution : ErrorDistribution of n_samples rows
            Predicted distribution of each sample's error.
        errors : array-like of shape (n_samples,), optional
            Observed absolute errors, in the target's unit, to be marked.
        xscale : {"log", "linear"}, optional
            Scale of the error axis; by default linear for bins of one width, else log.
        name : str or sequence of n_samples str, optional
            Name of each sample; by default "Sample 0" and so on.
        unit : str, optional
            Unit of the errors, for the axis labels.
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.stairs` for each density.

        Returns
        -------
        ErrorDensityDisplay
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
        >>> from ltau.plotting import ErrorDensityDisplay
        >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
        >>> display = ErrorDensityDisplay.from_predictions(
        ...     distribution, xscale="linear", name=["H", "O"], unit="eV/Å"
        ... )
        >>> display.ax_.get_ylabel()
        'Density (per eV/Å)'
        """
        if errors is not None:
            errors = as_magnitudes(errors, "errors")
            check_same_length(distribution=distribution, errors=errors)
        display = cls(distribution=distribution, errors=errors, name=name, unit=unit)
        return display.plot(ax, xscale=xscale, **kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        xscale: Literal["log", "linear"] | None = None,
        name: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the densities, and mark the observed errors.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw in; by default those of a new figure.
        xscale : {"log", "linear"}, optional
            Scale of the error axis; by default linear for bins of one width, else log.
        name : str or sequence of n_samples str, optional
            Name of each sample; by default those of the display.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.stairs` for each density.

        Returns
        -------
        ErrorDensityDisplay
            The display.

        Raises
        ------
        ValueError
            If there are not as many names as samples.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from ltau import ErrorDistribution
        >>> from ltau.plotting import ErrorDensityDisplay
        >>> distribution = ErrorDistribution([[0.5, 0.5], [0.9, 0.1]], edges=[0.0, 1.0, 3.0])
        >>> display = ErrorDensityDisplay(distribution=distribution).plot(name=["H", "O"])
        >>> [patch.get_label() for patch in display.patches_]
        ['H', 'O']
        """
        ax = ensure_axes(ax)
        xscale = _scale_of(self.distribution.edges) if xscale is None else xscale
        names = self._names(self.name if name is None else name)
        self.patches_ = [
            _draw_steps(ax, edges, density, {"label": label} | kwargs)
            for label, edges, density in zip(names, *self._steps(xscale), strict=True)
        ]
        self.lines_: list[Line2D] = []
        if self.errors is not None:
            for error, patch in zip(self.errors, self.patches_, strict=True):
                self.lines_.append(ax.axvline(error, color=patch.get_edgecolor(), ls="--"))
            # The marks have their samples' colours: this is their entry in the legend.
            draw_reference(ax, np.empty(0), np.empty(0), label="Observed", linestyle="--")
        density_unit = "per decade" if xscale == "log" else self.unit and f"per {self.unit}"
        ax.set(
            xscale=xscale,
            xlabel=with_unit("Error", self.unit),
            ylabel=with_unit("Density", density_unit),
        )
        if xscale == "log":
            label_log_axis(ax.xaxis)
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _names(self, name: str | Sequence[str] | None) -> Sequence[str]:
        if name is None:
            return [f"Sample {row}" for row in range(len(self.distribution))]
        names = [name] if isinstance(name, str) else name
        check_same_length(distribution=self.distribution, name=names)
        return names

    def _steps(self, xscale: str) -> tuple[FloatArray, FloatArray]:
        """Edges of each sample's bins, and its densities between them on the scale."""
        edges = self.distribution.edges.copy()
        if xscale == "log" and edges[0] <= 0:
            edges[0] = edges[1] ** 2 / edges[2]
        edges = self.distribution.scale[:, None] * edges
        position = np.log10(edges) if xscale == "log" else edges
        return edges, self.distribution.probabilities / np.diff(position, axis=1)


def _draw_steps(
    ax: Axes, edges: FloatArray, density: FloatArray, kwargs: dict[str, Any]
) -> StepPatch:
    """Draw one density, from its first bin that is not empty to its last."""
    first, last = np.flatnonzero(density)[[0, -1]]
    color = next_color(ax)
    style: dict[str, Any] = {"fill": True, "linewidth": 1}
    style |= {"edgecolor": color, "facecolor": (color, 0.25)}
    return ax.stairs(density[first : last + 1], edges[first : last + 2], **style | kwargs)


def _scale_of(edges: FloatArray) -> Literal["log", "linear"]:
    widths = np.diff(edges)
    even = np.allclose(widths, widths[0], rtol=1e-3, atol=0)  # edges are rounded to float32
    return "linear" if even else "log"
