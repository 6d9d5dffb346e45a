"""Passes of a model over samples: their errors, their latents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from tqdm import tqdm

from ltau.adapters._recording.batches import (
    Forward,
    check_batches,
    device_of,
    gives_ids,
    in_order_of_ids,
    inputs_of,
    on_device,
    split_ids,
)
from ltau.adapters._recording.hooks import Pool, find_layer, one_row_a_sample, outputs_of
from ltau.adapters._recording.ids import Numbered
from ltau.adapters._recording.recorder import ErrorRecorder
from ltau.adapters._recording.residuals import Residuals, as_pair, prediction_and_target

__all__ = ["evaluate", "evaluation_mode", "latents"]


def evaluate(
    model: torch.nn.Module,
    batches: Iterable[tuple[torch.Tensor, Any]],
    recorder: ErrorRecorder,
    *,
    forward: Forward | None = None,
    residuals: Residuals = prediction_and_target,
) -> None:
    """Record the errors that a model makes now: an exact pass at the end of an epoch.

    Errors recorded in the training steps are free, but belong to a model that changes from
    batch to batch, with its dropout on. This pass costs one more forward pass per batch.
    The model runs in evaluation mode, without gradients, on the device where it is;
    afterwards every module is in the mode it was in.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    batches : iterable of ``(ids, batch)``
        What a ``DataLoader`` of an `IndexedDataset` gives, in any order.
    recorder : ErrorRecorder
        Where the errors go. The epoch is not ended.
    forward : callable, optional
        Called with the model and a batch on its device, it returns what the model gives, as
        ``lambda model, batch: model(**batch).logits``. By default the model is called with
        the first item of the batch.
    residuals : callable, optional
        Called with that and the batch, it returns a pair of tensors, prediction and target, as
        in the callbacks. By default the batches are ``(x, y)``, and the output is compared
        with `y`.

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
    check_batches(batches)
    device = device_of(model)
    with torch.no_grad(), evaluation_mode(model):
        for numbered in batches:
            ids, batch = split_ids(numbered)
            batch = on_device(batch, device)
            output = model(inputs_of(batch)) if forward is None else forward(model, batch)
            recorder.record(ids, *as_pair(residuals(output, batch)))


def latents(
    model: torch.nn.Module,
    batches: Iterable[Any],
    layer: str,
    *,
    forward: Forward | None = None,
    pool: Pool | None = None,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Compute the latents of samples: the output of one layer of the model.

    The model runs in evaluation mode, without gradients, on the device where it is;
    afterwards every module is in the mode it was in.

    Parameters
    ----------
    model : torch.nn.Module
        The trained model.
    batches : iterable of batches
        Such as a ``DataLoader``, or ``x.split(1000)`` of a tensor. One that shuffles must be
        of an `IndexedDataset`, whose batches are ``(ids, batch)``.
    layer : str
        Name of the layer in ``model.named_modules()``; for the last hidden layer, the
        activation before the output.
    forward : callable, optional
        Called with the model and a batch on its device, it returns what the model gives, as
        ``lambda model, batch: model(**batch).logits``. By default the model is called with
        the batch, if that is a tensor, or with its first item.
    pool : callable, optional
        Called with what the layer gives and what the model is called with (with `forward`,
        the batch), it returns a tensor with one row per sample. By default the layer gives that.
        For tokens or nodes, take their mean or one of them.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32
        The latents: in the order of the ids, where there are some, or of the batches.

    Raises
    ------
    ValueError
        If there is no such layer, it does not run or gives no tensor with one row per
        sample, or there are no batches. If a ``DataLoader`` without ids is not in the order
        of its samples, or leaves samples out, as with ``drop_last``.

    Examples
    --------
    >>> import torch
    >>> from ltau.adapters.torch import latents
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> latents(model, torch.zeros(10, 4).split(5), layer="1").shape
    (10, 8)
    """
    check_batches(batches)
    numbered = gives_ids(batches)
    module = find_layer(model, layer)
    device = device_of(model)
    ids, rows = [], []
    with torch.no_grad(), evaluation_mode(model), outputs_of(module) as outputs:
        for batch in tqdm(batches, desc="latents", disable=not progress):
            if numbered or isinstance(batch, Numbered):
                of_batch, batch = split_ids(batch)
                ids.append(of_batch)
            batch = on_device(batch, device)
            inputs = inputs_of(batch) if forward is None else batch
            outputs.clear()
            output = model(inputs) if forward is None else forward(model, batch)
            n = len(ids[-1]) if ids else _length(inputs if forward is None else output)
            rows.append(one_row_a_sample(outputs, layer, inputs, pool, n).float().cpu().numpy())
    if not rows:
        raise ValueError("Expected at least one batch, got none.")
    found = np.concatenate(rows)
    if not ids:
        return found
    n_samples = len(batches.dataset) if isinstance(batches, DataLoader) else None  # type: ignore[arg-type]
    return in_order_of_ids(found, torch.cat(ids).cpu().numpy(), n_samples)


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


def _length(rows: Any) -> int | None:
    """Count the samples of a batch without ids; None where it cannot be told."""
    return len(rows) if isinstance(rows, torch.Tensor) and rows.ndim else None
