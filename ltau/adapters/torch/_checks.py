"""Checks of tensors and numbers that come in, where it can be without a wait for the device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from ltau._inputs.outputs import check_predictions_given, refuse_shape

__all__ = [
    "check_labels",
    "check_latents",
    "check_n_neighbors",
    "check_predictions",
    "check_tolerances",
]


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


def check_predictions(
    y_pred: object, n_samples: int, n_outputs: int | None, device: torch.device
) -> torch.Tensor | None:
    """Check predictions, and give them one row per sample; for their values the host waits.

    Parameters
    ----------
    y_pred : tensor of shape (n_samples,) or (n_samples, n_outputs), of a floating type, or None
        The model's predictions, on the device.
    n_samples : int
        Number of samples.
    n_outputs : int or None
        Number of outputs of the targets at fit; None where there were none.
    device : torch.device
        Where they should be.

    Returns
    -------
    tensor of shape (n_samples, n_outputs), float64, without gradients, or None
        The predictions; None where there are no targets to compare them with.
    """
    check_predictions_given(y_pred is not None, n_outputs is not None)
    if n_outputs is None:
        return None
    tensor = _check_tensor("y_pred", y_pred, device)
    if not tensor.is_floating_point():
        raise TypeError(f"Expected y_pred of a floating type, got {tensor.dtype}.")
    outputs = tensor.detach()[:, None] if tensor.ndim == 1 else tensor.detach()
    if outputs.shape != (n_samples, n_outputs):
        refuse_shape(tuple(tensor.shape), n_samples, n_outputs, "y_pred")
    n_bad = int((~outputs.isfinite()).sum())
    if n_bad:
        raise ValueError(f"Expected y_pred without NaN or infinite values, got {n_bad}.")
    return outputs.double()


def check_tolerances(tolerance: ArrayLike) -> list[float]:
    """Check that there is a tolerance or more, and that none is NaN."""
    tolerances = np.atleast_1d(np.asarray(tolerance, dtype=np.float64))
    if tolerances.ndim != 1 or not tolerances.size or np.isnan(tolerances).any():
        raise ValueError(f"Expected a tolerance or a 1-D array of them, got {tolerance!r}.")
    listed: list[float] = tolerances.tolist()
    return listed


def check_n_neighbors(k: object) -> None:
    """Refuse what is no number of neighbours."""
    if not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"Expected n_neighbors >= 1, got {k!r}.")


def _check_tensor(name: str, value: object, device: torch.device) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"Expected {name} in a tensor, got {type(value).__name__}.")
    if value.device != device:
        raise ValueError(
            f"Expected {name} on {device}, where the estimator is, got {value.device}: "
            "move one of them with to()."
        )
    return value
