"""The search that an estimator's predictions stand on, by faiss alone."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau import LTAUEstimator
from ltau.neighbors import LatentScaler, NeighborIndex

__all__ = ["bare_search", "only_index"]


def only_index(estimator: LTAUEstimator) -> tuple[LatentScaler, NeighborIndex]:
    """Give the scaler and the index of an estimator that was fitted without strata."""
    [stratum] = estimator.fitted_.index.strata
    return stratum.scaler, stratum.index


def bare_search(index: NeighborIndex, scaled: NDArray[np.float32], k: int) -> None:
    """Search an index for scaled latents, with nothing of what is done with the result."""
    if index.kind == "flat":
        faiss.knn(scaled, index.vectors, k)
    else:
        index.searcher.search(scaled, k)  # type: ignore[attr-defined]
