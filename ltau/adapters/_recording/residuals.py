"""Predictions minus targets, of the same shape but for axes of length one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["Residuals", "as_pair", "check_tensor", "prediction_and_target", "subtract"]

# Of what a model gives and its batch: prediction minus target, or the two.
Residuals = Callable[[Any, Any], torch.Tensor | tuple[torch.Tensor, torch.Tensor]]


def prediction_and_target(output: Any, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the output and the target of a batch ``(x, y)``."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(
            f"Expected batches (x, y), got {type(batch).__name__}: say what is compared by a "
            "callable, residuals=lambda output, batch: (prediction, target)."
        )
    return output, batch[1]


def as_pair(
    residuals: torch.Tensor | tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Give what `ErrorRecorder.record` takes: a prediction and its target, or residuals."""
    return residuals if isinstance(residuals, tuple) else (residuals, None)


def check_tensor(name: str, value: object) -> None:
    """Refuse lists and arrays."""
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"Expected {name} that are a tensor, got {type(value).__name__}.")


def subtract(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Subtract targets from predictions; axes of length one may be missing in either."""
    check_tensor("predictions", prediction)
    check_tensor("targets", target)
    prediction = prediction.detach()
    if prediction.shape != target.shape:
        if _squeezed(prediction) != _squeezed(target):
            raise ValueError(
                f"Expected predictions of the targets' shape {tuple(target.shape)}, "
                f"got {tuple(prediction.shape)}."
            )
        prediction = prediction.reshape(target.shape)
    return prediction - target.to(prediction.device)


def _squeezed(tensor: torch.Tensor) -> list[int]:
    """Shape without the axes of length one, but for the first axis."""
    return [*tensor.shape[:1], *(length for length in tensor.shape[1:] if length != 1)]
