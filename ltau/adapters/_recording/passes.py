"""Passes of a model over samples: their errors, their latents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from ltau.adapters._recording.hooks import find_layer, one_row_a_sample, outputs_of
from ltau.adapters._recording.recorder import ErrorRecorder
from ltau.adapters._recording.residuals import subtract

__all__ = ["evaluate", "evaluation_mode", "latents"]


def evaluate(
    model: torch.nn.Module, batches: Iterable[tuple[torch.Tensor, Any]], recorder: ErrorRecorder
) -> None:
    """Record the errors that a model makes now: an exact pass at the end of an epoch.

    Errors recorded in the training steps are free, but of a model that changes from
    batch to batch, with its dropout on. This pass costs one more forward a batch. The
    model runs in evaluation mode, without gradients, on the device where it is;
    afterwards every module is in the mode it was in.

    Parameters
    ----------
    model : torch.nn.Module
        The model, called with the inputs `x`.
    batches : iterable of ``(ids, (x, y))``
        What a `DataLoader` of an `IndexedDataset` gives, in any order.
    recorder : ErrorRecorder
        Where the errors go. It is not told that the epoch ends.

    Raises
    ------
    ValueError
        If batches are not as described, or predictions and targets differ in shape.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> from ltau.adapters.torch import ErrorRecorder, IndexedDataset, evaluate
    >>> data = TensorDataset(torch.ones(3, 1), torch.tensor([1.0, 2.0, 4.0]))
    >>> model = torch.nn.Flatten(0)    # predicts what it is given: one
    >>> recorder = ErrorRecorder(n_samples=3)
    >>> evaluate(model, DataLoader(IndexedDataset(data), batch_size=2), recorder)
    >>> recorder.end_epoch()
    >>> recorder.errors
    array([[0.],
           [1.],
           [3.]], dtype=float32)
    """
    device = _device(model)
    with torch.no_grad(), evaluation_mode(model):
        for batch in batches:
            try:
                ids, (x, y) = batch
            except (TypeError, ValueError) as error:
                raise ValueError(
                    "Expected batches (ids, (x, y)), as a DataLoader of an IndexedDataset gives."
                ) from error
            recorder.record(ids, subtract(model(x.to(device)), y))


def latents(
    model: torch.nn.Module,
    batches: Iterable[torch.Tensor | Sequence[torch.Tensor]],
    layer: str,
    *,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Compute the latents of samples: the output of one layer of the model.

    The model runs in evaluation mode, without gradients, on the device where it is;
    afterwards every module is in the mode it was in.

    Parameters
    ----------
    model : torch.nn.Module
        The trained model.
    batches : iterable of tensors, or of sequences of tensors
        What the model takes, such as a `DataLoader` that does not shuffle; of a
        sequence, the first item.
    layer : str
        Name of the layer in ``model.named_modules()``; for the last hidden layer, the
        activation before the output.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32
        The latents, in the order of the batches.

    Raises
    ------
    ValueError
        If there is no such layer, it does not run or gives no tensor with a row a
        sample, or there are no batches.

    Examples
    --------
    >>> import torch
    >>> from ltau.adapters.torch import latents
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> latents(model, torch.zeros(10, 4).split(5), layer="1").shape
    (10, 8)
    """
    module = find_layer(model, layer)
    device = _device(model)
    rows = []
    with torch.no_grad(), evaluation_mode(model), outputs_of(module) as outputs:
        for batch in tqdm(batches, desc="latents", disable=not progress):
            inputs = batch if isinstance(batch, torch.Tensor) else batch[0]
            outputs.clear()
            model(inputs.to(device))
            rows.append(one_row_a_sample(outputs, layer, len(inputs)).float().cpu().numpy())
    if not rows:
        raise ValueError("Expected at least one batch, got none.")
    return np.concatenate(rows)


@contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Switch to evaluation mode, and every module back to its own mode afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _device(model: torch.nn.Module) -> torch.device | None:
    """Device of a model; None, that of the inputs, where it has no parameters."""
    parameter = next(model.parameters(), None)
    return None if parameter is None else parameter.device
