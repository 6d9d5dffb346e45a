"""Quantile boosting, from latents to quantiles of the error."""

from __future__ import annotations

from benchmarks.methods.judging.learned import Learned
from benchmarks.methods.quantile_trees import QuantileTrees

__all__ = ["QuantileBoosting"]


class QuantileBoosting(Learned):
    """Quantiles of the error by gradient-boosted trees on the latents [1]_.

    UQ-MLIP takes such trees on the embeddings of a force field.

    References
    ----------
    .. [1] T. Yin, G. Panapitiya, E. D. Coda and E. G. Saldanha, "Evaluating uncertainty-based
       active learning for accelerating the generalization of molecular property prediction",
       J. Cheminform. 15, 105 (2023). doi:10.1186/s13321-023-00753-5
    """

    def make(self) -> QuantileTrees:
        """Make the trees."""
        return QuantileTrees()
