"""What a method predicts: the target, and how wrong that may be."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from ltau.comparison._distributions import ErrorModel, HalfNormal
from ltau.comparison._rows import Floats
from ltau.distribution import ErrorDistribution

__all__ = ["GaussianPrediction", "Prediction", "QuantilePrediction", "SymmetricPrediction"]

_LEAST_STD = 1e-100  # far below any error: a Gaussian of width 0 has no density


class Prediction(Protocol):
    """What a method says of some rows."""

    @property
    def y_pred(self) -> Floats:
        """Predictions of the target, shape (n_samples,)."""
        ...

    @property
    def errors(self) -> ErrorModel:
        """Distributions of their absolute errors."""
        ...

    def interval(self, level: float, /) -> Floats:
        """Lower and upper ends that hold the target with probability `level`, (n_samples, 2)."""
        ...


class SymmetricPrediction:
    """A prediction with symmetric intervals.

    Parameters
    ----------
    y_pred : ndarray of shape (n_samples,)
        Predictions of the target.
    errors : ErrorDistribution of n_samples rows
        Distributions of their absolute errors, or any object with its methods ``mean``,
        ``quantile``, ``cdf`` and ``crps``.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau import ErrorDistribution
    >>> from ltau.comparison import SymmetricPrediction
    >>> errors = ErrorDistribution([[0.5, 0.5], [1.0, 0.0]], edges=[0.0, 1.0, 3.0])
    >>> SymmetricPrediction(np.array([10.0, 20.0]), errors).interval(0.5)
    array([[ 9. , 11. ],
           [19.5, 20.5]])
    """

    def __init__(self, y_pred: Floats, errors: ErrorModel) -> None:
        self.y_pred = y_pred
        self.errors = errors

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_samples={len(self.y_pred)})"

    def interval(self, level: float) -> Floats:
        """Compute the intervals: prediction minus and plus the quantile of its error.

        Parameters
        ----------
        level : float
            Probability that the target lies inside.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends.
        """
        half_width = self.errors.quantile(level)
        return np.stack([self.y_pred - half_width, self.y_pred + half_width], axis=1)


class GaussianPrediction(SymmetricPrediction):
    """A prediction with a normal distribution around it.

    Parameters
    ----------
    y_pred : ndarray of shape (n_samples,)
        Predictions of the target.
    std : ndarray of shape (n_samples,)
        Standard deviations, in the unit of the target; 0 is a prediction without error.

    Raises
    ------
    ValueError
        If a standard deviation is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.comparison import GaussianPrediction
    >>> GaussianPrediction(np.array([10.0]), np.array([1.0])).interval(0.9).round(2)
    array([[ 8.36, 11.64]])
    """

    def __init__(self, y_pred: Floats, std: Floats) -> None:
        n_negative = np.count_nonzero(np.asarray(std) < 0)
        if n_negative:
            raise ValueError(f"Expected standard deviations of at least 0, got {n_negative} below.")
        super().__init__(y_pred, HalfNormal(np.maximum(std, _LEAST_STD)))


class QuantilePrediction:
    """A prediction by quantiles of the target, linear between them.

    Parameters
    ----------
    quantiles : ndarray of shape (n_samples, n_levels)
        Predicted quantiles; sorted here where they cross [1]_.
    levels : ndarray of shape (n_levels,)
        Their probabilities, ascending, with 0.5 among them.

    Raises
    ------
    ValueError
        If the levels do not ascend in (0, 1), 0.5 is not among them, or the quantiles have
        another shape.

    References
    ----------
    .. [1] V. Chernozhukov, I. Fernández-Val and A. Galichon, "Quantile and probability curves
       without crossing", Econometrica 78, 1093-1125 (2010). doi:10.3982/ECTA7880

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.comparison import QuantilePrediction
    >>> levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    >>> prediction = QuantilePrediction(np.array([[0.0, 1.0, 2.0, 5.0, 10.0]]), levels)
    >>> prediction.y_pred, prediction.interval(0.5)
    (array([2.]), array([[1., 5.]]))
    """

    _N_BINS = 100

    def __init__(self, quantiles: Floats, levels: Floats) -> None:
        self.levels = np.asarray(levels, np.float64)
        steps = np.diff(self.levels, prepend=0.0, append=1.0)
        if (steps <= 0).any() or 0.5 not in self.levels[1:-1]:
            raise ValueError(f"Expected levels that ascend in (0, 1) by way of 0.5, got {levels}.")
        self.quantiles = np.sort(quantiles, axis=1)
        if self.quantiles.shape[1] != len(self.levels):
            raise ValueError(
                f"Expected {len(self.levels)} quantiles of each row, one for each level, got "
                f"shape {self.quantiles.shape}."
            )

    def __repr__(self) -> str:
        n_samples, n_levels = self.quantiles.shape
        return f"QuantilePrediction(n_samples={n_samples}, n_levels={n_levels})"

    @property
    def y_pred(self) -> Floats:
        """The medians, shape (n_samples,)."""
        return self.quantiles[:, np.flatnonzero(self.levels == 0.5)[0]]

    @cached_property
    def errors(self) -> ErrorDistribution:
        """Distributions of the distance from the median, on whichever side."""
        quantiles, levels = self._with_ends()
        reach = np.abs(quantiles - self.y_pred[:, None]).max(axis=1)
        reach = np.maximum(reach, np.finfo(np.float32).tiny)  # all quantiles may be equal
        edges = np.linspace(0, 1, self._N_BINS + 1)
        cdf = np.empty((len(reach), len(edges)))
        for row, (knots, middle, width) in enumerate(
            zip(quantiles, self.y_pred, reach, strict=True)
        ):
            above = np.interp(middle + width * edges, knots, levels)
            cdf[row] = above - np.interp(middle - width * edges, knots, levels)
        cdf[:, 0], cdf[:, -1] = 0.0, 1.0
        return ErrorDistribution(np.diff(np.maximum.accumulate(cdf, axis=1)), edges, reach)

    def interval(self, level: float) -> Floats:
        """Compute the central intervals, each between two quantiles.

        Parameters
        ----------
        level : float
            Probability that the target lies inside.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends.
        """
        quantiles, levels = self._with_ends()
        ends = [(1 - level) / 2, (1 + level) / 2]
        return np.stack([np.interp(ends, levels, row) for row in quantiles])

    def _with_ends(self) -> tuple[Floats, Floats]:
        """Go on in a straight line beyond the outer quantiles, to the levels 0 and 1."""
        q, p = self.quantiles, self.levels
        low = q[:, 0] - (q[:, 1] - q[:, 0]) * p[0] / (p[1] - p[0])
        high = q[:, -1] + (q[:, -1] - q[:, -2]) * (1 - p[-1]) / (p[-1] - p[-2])
        return np.column_stack([low, q, high]), np.concatenate([[0.0], p, [1.0]])
