"""An exact search that TorchScript can run, on any number of atoms and any device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from ltau._fitted.state import Table
from ltau.adapters._forces.graph import SummaryGraph

__all__ = ["ExactSummary"]


class ExactSummary(SummaryGraph):
    """The summary of samples all of which are compared with each atom of their stratum.

    Latents are scaled in float64, as `LTAUEstimator` scales them. Nothing depends on the number
    of atoms, or on the device, so that a trace of it holds for all.

    Parameters
    ----------
    estimator, level, most
        As in `SummaryGraph`.
    """

    means: torch.Tensor  # (n_strata, n_features), what is subtracted from latents
    scalings: torch.Tensor  # (n_strata, n_features, n_features), by which they are multiplied
    vectors: torch.Tensor  # (n_places, n_features), the scaled samples, stratum by stratum

    def keep_vectors(self, tables: Sequence[Table], recall: float) -> NDArray[np.intp]:
        """Keep the samples stratum by stratum."""
        eye = np.eye(len(tables[0].scaler.mean))
        matrices = [eye if t.scaler.matrix is None else t.scaler.matrix for t in tables]
        self.keep(
            {
                "means": np.stack([table.scaler.mean for table in tables]),
                "scalings": np.stack(matrices),
                "vectors": np.concatenate([table.vectors for table in tables]),
            }
        )
        self._ends = [0, *np.cumsum([len(table.vectors) for table in tables]).tolist()]
        return np.concatenate([table.numbers for table in tables])

    def nearest(
        self, latents: torch.Tensor, strata: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find distances and places of the nearest samples, each of shape (n_atoms, k)."""
        n_strata = len(self._ends) - 1
        if n_strata == 1:
            return self._within(0, latents)
        rows = [(strata == stratum).nonzero()[:, 0] for stratum in range(n_strata)]
        found = [self._within(stratum, latents[of]) for stratum, of in enumerate(rows)]
        distances, places = (torch.cat(parts) for parts in zip(*found, strict=True))
        back = torch.cat(rows).argsort()
        return distances[back], places[back]

    def _within(self, stratum: int, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Search one stratum, whose samples may be fewer than neighbours are asked for."""
        centred = latents.double() - self.means[stratum]
        scaled = (centred @ self.scalings[stratum]).float()
        start, end = self._ends[stratum : stratum + 2]
        differences = "donot_use_mm_for_euclid_dist"  # which do not cancel
        distances = torch.cdist(scaled, self.vectors[start:end], compute_mode=differences)
        k = min(self.n_neighbors, end - start)
        nearest, places = distances.topk(k, dim=1, largest=False)
        missing = [0, self.n_neighbors - k]
        return pad(nearest.double(), missing, value=torch.inf), pad(start + places, missing)
