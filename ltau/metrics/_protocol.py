"""The methods by which the metrics know a predicted distribution."""

from __future__ import annotations

from typing import Literal, Protocol

from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_floats, as_magnitudes, check_same_length

__all__ = ["PredictiveDistribution"]


class PredictiveDistribution(Protocol):
    """Predicted distributions of the error, one per sample.

    `ltau.ErrorDistribution` is one; so is any object with these methods, such as
    the Gaussians of an ensemble. A metric calls only those it needs.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.metrics import pit
    >>> class Exponential:
    ...     def __init__(self, mean):
    ...         self.mean = np.asarray(mean)
    ...     def __len__(self):
    ...         return len(self.mean)
    ...     def cdf(self, errors):
    ...         return 1 - np.exp(-errors / self.mean[:, None])
    >>> pit([0.0, 0.2], Exponential([0.1, 0.2])).round(3)
    array([0.   , 0.632])
    """

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def pdf(self, errors: FloatArray, /) -> FloatArray:
        """Evaluate the densities: (n_samples, m) errors give (n_samples, m) values."""
        ...

    def cdf(self, errors: FloatArray, /) -> FloatArray:
        """Evaluate P(error <= errors): (n_samples, m) errors give (n_samples, m) values."""
        ...

    def crps(self, errors: FloatArray, /) -> FloatArray:
        """Compute the CRPS: (n_samples, m) errors give (n_samples, m) values."""
        ...

    def std(self) -> FloatArray:
        """Compute the standard deviations of the error, shape (n_samples,)."""
        ...


def evaluate(
    errors: ArrayLike, distribution: PredictiveDistribution, method: Literal["cdf", "crps", "pdf"]
) -> FloatArray:
    """Evaluate a method of the distribution at one error per sample."""
    if not hasattr(distribution, method):
        raise TypeError(
            f"Expected observed errors, then a distribution with a method {method}, got "
            f"{type(errors).__name__}, then {type(distribution).__name__}."
        )
    observed = as_magnitudes(errors, "errors")
    check_same_length(distribution=distribution, errors=observed)
    values = getattr(distribution, method)(observed[:, None])
    column = as_floats(values, "the values of the distribution", ndim=2)
    if column.shape != (len(observed), 1):
        raise ValueError(
            f"Expected values of shape ({len(observed)}, 1) from the distribution, "
            f"got {column.shape}."
        )
    return column[:, 0]
