"""What is kept of the training samples that prototypes stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays

__all__ = ["Members"]


@dataclass(frozen=True)
class Members:
    """What is kept of the training samples that prototypes stand for.

    Parameters
    ----------
    n_samples : int
        Their number.
    scores : ndarray of shape (n_scores,), float32
        The `ood_score` of some of them, ascending.
    """

    n_samples: int
    scores: NDArray[np.float32]

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this again."""
        return {"n_samples": np.array(self.n_samples), "scores": self.scores}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make it again; raises ValueError where the arrays are not such."""
        n_samples, scores = arrays["n_samples"], arrays["scores"]
        if n_samples.shape != () or n_samples.dtype.kind not in "iu":
            raise ValueError("Expected the number of training samples.")
        if scores.dtype != np.float32 or scores.ndim != 1 or not 1 <= len(scores) <= n_samples:
            raise ValueError("Expected scores of training samples.")
        if not (scores[0] >= 0 and (scores[1:] >= scores[:-1]).all()):
            raise ValueError("Expected non-negative scores that rise.")
        return cls(int(n_samples), scores)
