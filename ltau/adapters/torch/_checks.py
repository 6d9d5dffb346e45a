"""Checks of tensors that come in, by what the host knows of them without a wait."""

from __future__ import annotations

import torch

__all__ = ["check_labels", "check_latents"]


def check_latents(latents: object, n_features: int, device: torch.device) -> None:
    """Check that latents are rows of a tensor of the right width, on a device."""
    tensor = _check_tensor("latents", latents, device)
    if not tensor.is_floating_point():
        raise TypeError(f"Expected latents of a floating type, got {tensor.dtype}.")
    if tensor.ndim != 2 or tensor.shape[1] != n_features or not len(tensor):
        raise ValueError(
            f"Expected latents of shape (n_samples, {n_features}), at least one row, "
            f"got {tuple(tensor.shape)}."
        )


def check_labels(strata: object, n_samples: int, device: torch.device) -> None:
    """Check that strata are one integer for each sample, on a device."""
    tensor = _check_tensor("strata", strata, device)
    if tensor.is_floating_point() or tensor.is_complex():
        raise TypeError(f"Expected strata that are integers, got {tensor.dtype}.")
    if tensor.shape != (n_samples,):
        raise ValueError(f"Expected strata of shape ({n_samples},), got {tuple(tensor.shape)}.")


def _check_tensor(name: str, value: object, device: torch.device) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"Expected {name} in a tensor, got {type(value).__name__}.")
    if value.device != device:
        raise ValueError(
            f"Expected {name} on {device}, where the estimator is, got {value.device}: "
            "move one of them with to()."
        )
    return value
