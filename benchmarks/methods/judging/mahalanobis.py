"""Mahalanobis distance from the training latents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from benchmarks.methods.judging.per_class import PerClass

__all__ = ["Mahalanobis"]

Floats = NDArray[np.float64]


class Mahalanobis(PerClass):
    """Mahalanobis distance [1]_ from the mean of the class, with a shrunk covariance [2]_.

    References
    ----------
    .. [1] K. Lee, K. Lee, H. Lee and J. Shin, "A simple unified framework for detecting
       out-of-distribution samples and adversarial attacks", NeurIPS (2018).
       doi:10.48550/arXiv.1807.03888
    .. [2] O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", J. Multivar. Anal. 88, 365 (2004). doi:10.1016/S0047-259X(03)00096-4
    """

    def model(self, latents: Floats, held_out: Floats) -> LedoitWolf:
        """Estimate mean and covariance."""
        return LedoitWolf().fit(latents)

    def score_of(self, model: LedoitWolf, latents: Floats) -> Floats:
        """Measure the distances."""
        return np.sqrt(model.mahalanobis(latents))
