"""Rigidity of the prediction, from the last layer alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.converter import Converter
from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.scored import Scored
from ltau.metrics import crps

__all__ = ["Rigidity"]

# In units of the mean eigenvalue. Beside larger ones nothing but the length of z would count.
_REGULARIZATION = np.logspace(-8, -3, 6)


class Rigidity(Scored):
    r"""Last-layer prediction rigidity [1]_: :math:`s^2 = z^T (Z^T Z + c I)^{-1} z`.

    The validation samples choose `c`, by the CRPS. The form is that of a quantity that is
    linear in the latents; an atom's force is a derivative of such a one, and its latents stand
    for it here.

    References
    ----------
    .. [1] F. Bigi, S. Chong, M. Ceriotti and F. Grasselli, "A prediction rigidity formalism for
       low-cost uncertainties in trained neural networks", Mach. Learn.: Sci. Technol. 5, 045018
       (2024). doi:10.1088/2632-2153/ad805f
    """

    def learn(self, domain: Domain) -> None:
        """Compute the inverse, for the best of some regularisations."""
        Z = domain.train.latents.astype(np.float64)
        values, self.vectors = np.linalg.eigh(Z.T @ Z)
        validation = domain.validation

        def loss(c: float) -> float:
            self.inverse = 1 / (np.maximum(values, 0.0) + c * values.mean())
            score = self.score(validation)
            converter = Converter.fit(score, validation, by_class=self.by_class)
            return crps(validation.errors, converter(score, validation))

        loss(min(_REGULARIZATION, key=loss))

    def score(self, samples: Samples) -> NDArray[np.float64]:
        """Measure how little the training samples hold the prediction."""
        along = samples.latents.astype(np.float64) @ self.vectors
        return np.sqrt((along**2 * self.inverse).sum(axis=1))
