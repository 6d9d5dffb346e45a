"""What a method said of test rows, beside what was observed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau.comparison._predictions import Prediction
from ltau.comparison._rows import Floats

__all__ = ["Observed", "observe"]


@dataclass(frozen=True)
class Observed:
    """Predictions and observations, a row for each test sample, in the target's unit."""

    y: Floats
    y_pred: Floats
    expected: Floats  # mean of the absolute error
    low_50: Floats
    high_50: Floats
    low_90: Floats
    high_90: Floats
    error_crps: Floats  # of the absolute error
    pit: Floats  # of the absolute error

    @property
    def error(self) -> Floats:
        """Absolute errors of the predictions."""
        return np.abs(self.y - self.y_pred)

    @property
    def inside_50(self) -> NDArray[np.bool_]:
        """Whether targets lie within the 50 % interval."""
        return (self.low_50 <= self.y) & (self.y <= self.high_50)

    @property
    def inside_90(self) -> NDArray[np.bool_]:
        """Whether targets lie within the 90 % interval."""
        return (self.low_90 <= self.y) & (self.y <= self.high_90)

    @property
    def width_90(self) -> Floats:
        """Widths of the 90 % intervals."""
        return self.high_90 - self.low_90

    @property
    def crps(self) -> Floats:
        """CRPS of the target.

        For a distribution symmetric about the prediction it is exactly half of the absolute
        error plus half of the CRPS of the absolute error. Predictions by quantiles, which are
        not symmetric, are scored as if they were. A method could earn a low CRPS of its error
        by poor predictions whose errors are easy to predict, so that of the target counts.
        """
        return (self.error + self.error_crps) / 2

    def arrays(self) -> dict[str, Floats]:
        """Give all columns by their names."""
        return asdict(self)

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Put rows below each other."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def observe(prediction: Prediction, y: Floats) -> Observed:
    """Compare what a method predicted with the targets.

    Parameters
    ----------
    prediction : Prediction of n_samples rows
        What the method says.
    y : ndarray of shape (n_samples,)
        Observed targets.

    Returns
    -------
    Observed
        One row per sample.

    Raises
    ------
    ValueError
        If a prediction has another shape, or is not finite.
    """
    y_pred = _column("y_pred", prediction.y_pred, len(y))
    error = np.abs(y - y_pred)
    (low_50, high_50), (low_90, high_90) = (
        _interval(level, prediction.interval(level), len(y)) for level in (0.5, 0.9)
    )
    return Observed(
        y=y,
        y_pred=y_pred,
        expected=_column("errors.mean()", prediction.errors.mean(), len(y)),
        low_50=low_50,
        high_50=high_50,
        low_90=low_90,
        high_90=high_90,
        error_crps=_column("errors.crps()", prediction.errors.crps(error[:, None])[:, 0], len(y)),
        pit=_column("errors.cdf()", prediction.errors.cdf(error[:, None])[:, 0], len(y)),
    )


def _interval(level: float, ends: Floats, n: int) -> tuple[Floats, Floats]:
    name = f"interval({level})"
    if np.shape(ends) != (n, 2):
        raise ValueError(f"Expected {name} of shape ({n}, 2), got {np.shape(ends)}.")
    low, high = (_column(name, end, n) for end in np.asarray(ends).T)
    n_crossed = np.count_nonzero(low > high)
    if n_crossed:
        raise ValueError(f"Expected low <= high in {name}, got {n_crossed} rows that are not.")
    return low, high


def _column(name: str, values: Floats, n: int) -> Floats:
    column = np.asarray(values, np.float64)
    if column.shape != (n,):
        raise ValueError(f"Expected {name} of shape ({n},), got {column.shape}.")
    n_wrong = np.count_nonzero(~np.isfinite(column))
    if n_wrong:
        raise ValueError(f"Expected finite {name}, got NaN or infinity in {n_wrong} of {n} rows.")
    return column
