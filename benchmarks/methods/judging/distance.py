"""Distance to the nearest training samples in latent space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.scored import Scored
from ltau import LTAUEstimator

__all__ = ["Distance"]


class Distance(Scored):
    """Mean distance to the thirty nearest neighbours, in whitened latents [1]_.

    References
    ----------
    .. [1] J. P. Janet et al., "A quantitative uncertainty metric controls error in neural
       network-driven chemical discovery", Chem. Sci. 10, 7913 (2019). doi:10.1039/C9SC02298H
    """

    n_neighbors = 30

    def learn(self, domain: Domain) -> None:
        """Index the training samples."""
        train = domain.train
        # The errors are not looked at: an estimator is asked for neighbours alone.
        self.estimator = LTAUEstimator(self.n_neighbors, distance_scaling=0.0, n_jobs=1).fit(
            train.latents, train.errors[:, None], train.classes
        )

    def score(self, samples: Samples) -> NDArray[np.float64]:
        """Average the distances."""
        distances, _ = self.estimator.kneighbors(samples.latents, strata=samples.classes)
        return distances.mean(axis=1)
