"""What the model should have predicted for the training samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_targets"]


def mean_targets(
    targets: NDArray[np.float64], owners: NDArray[np.intp] | None
) -> NDArray[np.float64]:
    """Average the targets of samples that are counted together.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_outputs), float64
        Target of each training sample.
    owners : ndarray of shape (n_samples,), intp, or None
        The place or the prototype that each is counted with; None where each stands for itself.

    Returns
    -------
    ndarray of shape (n, n_outputs), float64
        Their means.
    """
    if owners is None:
        return targets
    sizes = np.bincount(owners)
    return np.stack([np.bincount(owners, output) / sizes for output in targets.T], axis=1)
