"""What is predicted of each sample, in three tensors."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["TorchErrorSummary"]


class TorchErrorSummary(NamedTuple):
    """What is predicted of each sample, in three numbers, as tensors.

    Parameters
    ----------
    expected_error : tensor of shape (n_samples,), float32
        Expected errors, in the unit of the error.
    error_bar : tensor of shape (n_samples,), float32
        Errors that are not exceeded with the probability asked for.
    ood_score : tensor of shape (n_samples,), float32
        Distances from the training domain, about 1 inside.

    Examples
    --------
    >>> import torch
    >>> from ltau.adapters.torch import TorchErrorSummary
    >>> summary = TorchErrorSummary(*torch.tensor([[0.1, 0.2], [0.3, 0.5], [1.0, 4.0]]))
    >>> summary.error_bar[summary.ood_score > 2]
    tensor([0.5000])
    """

    expected_error: torch.Tensor
    error_bar: torch.Tensor
    ood_score: torch.Tensor

    def __repr__(self) -> str:
        n_samples, device = len(self.expected_error), str(self.expected_error.device)
        return f"TorchErrorSummary(n_samples={n_samples}, device={device!r})"
