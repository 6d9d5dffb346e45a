"""Distance to the nearest training samples in latent space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.scored import Scored
from ltau import LTAUEstimator

__all__ = ["Distance"]


class Distance(Scored):
    """Mean distance to the nearest neighbours [1]_.

    Parameters
    ----------
    settings : mapping of str to Any
        Parameters of the `LTAUEstimator` whose neighbours these are.

    References
    ----------
    .. [1] J. P. Janet et al., "A quantitative uncertainty metric controls error in neural
       network-driven chemical discovery", Chem. Sci. 10, 7913 (2019). doi:10.1039/C9SC02298H
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def learn(self, domain: Domain) -> None:
        """Index the training samples."""
        train = domain.train
        # The errors are not looked at: an estimator is asked for neighbours alone.
        self.estimator = LTAUEstimator(**self.settings).fit(
            train.latents, train.errors[:, None], train.classes
        )

    def score(self, samples: Samples) -> NDArray[np.float64]:
        """Average the distances."""
        distances, _ = self.estimator.kneighbors(samples.latents, strata=samples.classes)
        return distances.mean(axis=1)
