"""A classifier over bins of error, on latents."""

from __future__ import annotations

from benchmarks.methods.bin_network import BinNetwork
from benchmarks.methods.judging.learned import Learned

__all__ = ["ErrorBinClassifier"]


class ErrorBinClassifier(Learned):
    """A network over bins of error, on the latents of a model that is no longer trained.

    So does the confidence head of Orb [1]_ with the force error of an atom. PROBE [2]_ has a
    classifier of right and wrong on the latents of a whole molecule.

    References
    ----------
    .. [1] B. Rhodes et al., "Orb-v3: atomistic simulation at scale" (2025).
       doi:10.48550/arXiv.2504.06231
    .. [2] S. Mehdi, I. Cho and O. Isayev, "Knowing when to trust machine-learned interatomic
       potentials" (2026). doi:10.48550/arXiv.2605.00640
    """

    def make(self) -> BinNetwork:
        """Make the network."""
        return BinNetwork()
