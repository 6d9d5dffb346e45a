"""From a score to a distribution of the error, the same for every method that has a score."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.domains import Samples
from ltau import ErrorDistribution
from ltau.metrics import crps

__all__ = ["Converter"]

Floats = NDArray[np.float64]

_N_QUANTILES = 101
# Added to the score, in units of its median. A distribution needs a positive scale.
_OFFSETS = (1e-6, 0.1, 0.3, 1.0, 3.0)


class Converter:
    r"""From scores to distributions of the error, the same for every method [1]_.

    The error is the score, plus an offset, times a random ratio. The ratio's distribution is
    that of the validation samples: their i-th smallest ratio of n is taken for the quantile
    :math:`i / (n + 1)`, so that the quantiles are conformal bounds.

    Parameters
    ----------
    offset : float
        Added to every score, positive.
    score : ndarray of shape (n,)
        Scores of the validation samples.
    validation : Samples
        The validation samples.
    by_class : bool
        Whether each class has a distribution of its own.

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", J. Am. Stat. Assoc. 113, 1094 (2018), section 5.2.
       doi:10.1080/01621459.2017.1307116
    """

    def __init__(
        self, offset: float, score: Floats, validation: Samples, *, by_class: bool
    ) -> None:
        self.offset = offset
        self.by_class = by_class
        ratios = validation.errors / (score + offset)
        self.labels, codes = np.unique(self._classes(validation), return_inverse=True)
        levels = np.linspace(0, 1, _N_QUANTILES)
        curves = []
        for code in range(len(self.labels)):
            quantiles = np.quantile(ratios[codes == code], levels, method="weibull")
            knots = np.unique(quantiles[quantiles > 0])
            cdf = levels[np.searchsorted(quantiles, knots, side="right") - 1]
            curves.append((np.append(0.0, knots), np.append(0.0, cdf)))
        self.edges = np.unique(np.concatenate([knots for knots, _ in curves]))
        self.probabilities = np.diff([np.interp(self.edges, *curve) for curve in curves])

    @classmethod
    def fit(cls, score: Floats, validation: Samples, *, by_class: bool) -> Self:
        """Choose the offset, too, by the CRPS of the validation samples."""
        converters = [
            cls(offset * float(np.median(score)), score, validation, by_class=by_class)
            for offset in _OFFSETS
        ]
        return min(converters, key=lambda c: crps(validation.errors, c(score, validation)))

    def __call__(self, score: Floats, samples: Samples) -> ErrorDistribution:
        """Convert the scores of some samples."""
        codes = np.searchsorted(self.labels, self._classes(samples))
        return ErrorDistribution(self.probabilities[codes], self.edges, score + self.offset)

    def _classes(self, samples: Samples) -> NDArray[np.int64]:
        if samples.classes is None or not self.by_class:
            return np.zeros(len(samples.errors), np.int64)
        return samples.classes
