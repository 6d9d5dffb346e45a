"""Disagreement of further models, or of passes with dropout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.scored import Scored

__all__ = ["Spread"]


class Spread(Scored):
    """Standard deviation over the models of an ensemble [1]_, or over passes with dropout [2]_.

    Parameters
    ----------
    name : str
        Name of the spread among those of the samples.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS (2017).
       doi:10.48550/arXiv.1612.01474
    .. [2] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation: representing model
       uncertainty in deep learning", ICML (2016). doi:10.48550/arXiv.1506.02142
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def learn(self, domain: Domain) -> None:
        """There is nothing left to learn: the further models are trained."""

    def score(self, samples: Samples) -> NDArray[np.float64]:
        """Take the standard deviations."""
        return samples.spreads[self.name]
