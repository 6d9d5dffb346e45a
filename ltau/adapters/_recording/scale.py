"""What a target was standardised by, as one number or one per output."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike

__all__ = ["check_mean", "check_scale", "of_outputs"]


def check_scale(scale: ArrayLike) -> torch.Tensor:
    """Check a standard deviation; shape () or (n_outputs,)."""
    values = _as_tensor(scale)
    if values.ndim > 1 or not bool((values > 0).all() and values.isfinite().all()):
        raise ValueError(
            f"Expected a scale, or one per output, positive and finite, got {scale!r}."
        )
    return values


def check_mean(mean: ArrayLike) -> torch.Tensor:
    """Check a mean; shape () or (n_outputs,)."""
    values = _as_tensor(mean)
    if values.ndim > 1 or not bool(values.isfinite().all()):
        raise ValueError(f"Expected a mean, or one per output, finite, got {mean!r}.")
    return values


def of_outputs(values: torch.Tensor, like: torch.Tensor, name: str) -> torch.Tensor:
    """Give what there is one of, or one per output, in the type and the place of the outputs."""
    if values.ndim and (like.ndim < 2 or like.shape[-1] != len(values)):
        raise ValueError(
            f"Expected {name} of {len(values)} outputs, as scale has, got shape "
            f"{tuple(like.shape)}."
        )
    return values.to(like.dtype).to(like.device)


def _as_tensor(values: ArrayLike | torch.Tensor) -> torch.Tensor:
    tensor = torch.as_tensor(values, dtype=torch.float64, device="cpu").detach().clone()
    return tensor.reshape(()) if tensor.shape == (1,) else tensor  # as of a scaler of a column
