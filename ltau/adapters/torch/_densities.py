"""The error densities of the training samples as tensors, and their weighted averages."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ltau._fitted.densities import TrainingDensities
from ltau._maths.ties import between, level_to_reach, quantile_in_bin
from ltau.adapters.torch._search import BLOCK_VALUES

__all__ = ["TorchDensities"]


class TorchDensities(torch.nn.Module):
    """What `TrainingDensities` holds, on any device.

    Parameters
    ----------
    densities : TrainingDensities
        The densities.
    """

    edges: torch.Tensor  # (n_bins + 1,), float64
    cumulative: torch.Tensor  # (n_samples, n_bins), of the smallest type that has all operations
    means: torch.Tensor  # (n_samples,), float64

    def __init__(self, densities: TrainingDensities) -> None:
        super().__init__()
        arrays = {
            "edges": densities.edges,
            "cumulative": _countable(densities.cumulative),
            "means": densities.means,
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(array), persistent=False)

    def cdf(self, rows: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
        """Evaluate P(training error <= error) for some samples.

        Parameters
        ----------
        rows : tensor of shape (n, k), int64
            Training samples.
        error : tensor of shape (n, 1), float64
            The error, in its unit.

        Returns
        -------
        tensor of shape (n, k), float64
            Probabilities, linear within a bin.
        """
        n_bins = self.cumulative.shape[1]
        point = error.clamp(min=0.0).minimum(self.edges[-1])
        right = (torch.searchsorted(self.edges, point, right=True) - 1).clamp(0, n_bins - 1)
        left, width = self.edges[right], self.edges[right + 1] - self.edges[right]
        up_to_right = self.cumulative[rows, right].double()
        up_to_left = self.cumulative[rows, (right - 1).clamp(min=0)].double()
        up_to_left = torch.where(right > 0, up_to_left, 0.0)
        count = between((point - left) / width, up_to_left, up_to_right)
        return count / self.cumulative[rows, -1]

    def quantile(
        self, rows: torch.Tensor, weights: torch.Tensor, levels: torch.Tensor
    ) -> torch.Tensor:
        """Find quantiles of the averaged densities of each query's neighbours.

        Parameters
        ----------
        rows : tensor of shape (n, k), int64
            The neighbours.
        weights : tensor of shape (n, k), float64
            Their weights, which sum to 1 in every row.
        levels : tensor of shape (m,), float64
            Probabilities from 0 to 1.

        Returns
        -------
        tensor of shape (n, m), float64
            The error at which the averaged distribution reaches each level, by the tie rule.
        """
        size = max(1, BLOCK_VALUES // (rows.shape[1] * len(self.edges)))  # (size, k, n_bins)
        parts = zip(rows.split(size), weights.split(size), strict=True)
        return torch.cat([self._inverse(self._average_cdf(*part), levels) for part in parts])

    def _average_cdf(self, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Average the cumulative distributions, shape (n, n_bins + 1), from 0 to 1."""
        counts = self.cumulative[rows].double()
        cdf = torch.einsum("qkb,qk->qb", counts, weights / counts[:, :, -1])
        # Rounding may undo, by a little, that they rise, and that they end at 1.
        cdf = cdf.cummax(dim=1).values
        return torch.nn.functional.pad(cdf / cdf[:, -1:], (1, 0))

    def _inverse(self, cdf: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        asked = levels.expand(len(cdf), -1).contiguous()
        right = torch.searchsorted(cdf[:, 1:].contiguous(), level_to_reach(asked)) + 1
        ends = cdf.gather(1, right - 1), cdf.gather(1, right)
        return quantile_in_bin(asked, *ends, self.edges[right - 1], self.edges[right])


def _countable(counts: NDArray[np.unsignedinteger]) -> NDArray[np.integer]:
    """Give counts a type with which tensors can be computed: of the unsigned, uint8 alone."""
    types = (np.uint8, np.int16, np.int32, np.int64)
    largest = counts[:, -1].max()
    fitting = next(dtype for dtype in types if largest <= np.iinfo(dtype).max)
    return counts.astype(fitting, copy=False)
