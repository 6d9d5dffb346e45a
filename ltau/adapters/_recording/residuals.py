"""Predictions minus targets, of the same shape but for axes of length one."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["subtract"]


def subtract(prediction: Any, target: torch.Tensor) -> torch.Tensor:
    """Subtract targets from predictions; axes of length one may be missing in either."""
    if not isinstance(prediction, torch.Tensor):
        raise ValueError(
            f"Expected predictions that are a tensor, got {type(prediction).__name__}."
        )
    if _squeezed(prediction) != _squeezed(target):
        raise ValueError(
            f"Expected predictions of the targets' shape {tuple(target.shape)}, "
            f"got {tuple(prediction.shape)}."
        )
    return prediction.reshape(target.shape) - target.to(prediction.device)


def _squeezed(tensor: torch.Tensor) -> list[int]:
    """Shape without the axes of length one, but for the first axis."""
    return [*tensor.shape[:1], *(length for length in tensor.shape[1:] if length != 1)]
