"""Density of the training latents, as a mixture of Gaussians."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from benchmarks.methods.judging.per_class import PerClass

__all__ = ["Mixture"]

Floats = NDArray[np.float64]

_N_COMPONENTS = (1, 2, 4, 8)
_REGULARIZATION = 1e-3  # variance added to the standardised latents


class Mixture(PerClass):
    r"""Negative log-likelihood of a Gaussian mixture of the class's latents [1]_.

    The held-out latents choose the number of components. A log-likelihood has no zero, which a
    score that is proportional to the error needs: it is taken as a distance,
    :math:`s^2 = 2 \, (\mathrm{nll}(z) - \min_c \mathrm{nll}(\mu_c))` from the likeliest centre.
    With one component that is the Mahalanobis distance.

    References
    ----------
    .. [1] A. Zhu, S. Batzner, A. Musaelian and B. Kozinsky, "Fast uncertainty estimates in deep
       learning interatomic potentials", J. Chem. Phys. 158, 164111 (2023).
       doi:10.1063/5.0136574
    """

    def model(self, latents: Floats, held_out: Floats) -> GaussianMixture:
        """Fit mixtures, and take the one under which held-out latents are likeliest."""
        mixtures = [
            GaussianMixture(n, reg_covar=_REGULARIZATION, tol=1e-2, random_state=0).fit(latents)
            for n in _N_COMPONENTS
            if n * latents.shape[1] < len(latents)
        ]
        return max(mixtures, key=lambda mixture: mixture.score(held_out))

    def score_of(self, model: GaussianMixture, latents: Floats) -> Floats:
        """Turn log-likelihoods into distances."""
        highest = model.score_samples(model.means_).max()
        return np.sqrt(2 * np.maximum(highest - model.score_samples(latents), 0.0))
