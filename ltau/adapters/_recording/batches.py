"""Batches: which samples they hold, where they lie, and how a model is called with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
)

from ltau.adapters._recording.ids import IndexedDataset

__all__ = [
    "Forward",
    "check_batches",
    "device_of",
    "gives_ids",
    "in_order_of_ids",
    "inputs_of",
    "on_device",
    "split_ids",
]

# Of a model and a batch on its device: what the model gives.
Forward = Callable[[torch.nn.Module, Any], Any]


def check_batches(batches: object) -> None:
    """Refuse a tensor, a dataset or one batch, whose rows or items would be taken for batches."""
    name = type(batches).__name__
    if isinstance(batches, torch.Tensor | np.ndarray):
        raise ValueError(
            f"Expected batches, got {name} of shape {tuple(batches.shape)}: give a DataLoader or, "
            "of a tensor, x.split(1000)."
        )
    if isinstance(batches, Dataset) and not isinstance(batches, IterableDataset):
        raise ValueError(f"Expected batches, got {name}: give a DataLoader of it.")
    if isinstance(batches, Mapping):
        raise ValueError(f"Expected batches, got {name}: give one batch in a list, [batch].")


def gives_ids(batches: object) -> bool:
    """Whether a loader's batches are ``(ids, batch)``, in the order of the samples or not.

    Loaders without ids must be in the order of the samples, as their latents will be taken
    to be: others are refused. Of what is no ``DataLoader``, or is a stream, nothing is known.
    """
    if not isinstance(batches, DataLoader):
        return False
    if batches.drop_last or getattr(batches.batch_sampler, "drop_last", False):
        raise ValueError(
            "Expected a DataLoader of all samples, got drop_last=True: make another with "
            "drop_last=False."
        )
    dataset = batches.dataset
    if isinstance(dataset, IterableDataset):
        return False
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    if isinstance(dataset, IndexedDataset):
        return True
    sampler: Any = batches.sampler if batches.batch_sampler is None else batches.batch_sampler
    if type(sampler) is BatchSampler:
        sampler = sampler.sampler
    if not isinstance(sampler, SequentialSampler) or not getattr(batches, "in_order", True):
        raise ValueError(
            "Expected a DataLoader in the order of the samples, as errors are, got one with a "
            f"{type(sampler).__name__}: make one with shuffle=False, or of an "
            "IndexedDataset(dataset), whose ids put the rows in order."
        )
    return False


def split_ids(numbered: Any) -> tuple[torch.Tensor, Any]:
    """Split what a loader of an `IndexedDataset` gives into ids and batch."""
    if isinstance(numbered, tuple | list) and len(numbered) == 2:
        ids, batch = numbered
        if isinstance(ids, tuple | list):
            ids = torch.as_tensor(ids)
        if isinstance(ids, torch.Tensor) and ids.ndim == 1 and not ids.is_floating_point():
            return ids, batch
    raise ValueError(
        "Expected batches (ids, (x, y)), as a DataLoader of an IndexedDataset gives, got "
        f"{_described(numbered)}."
    )


def in_order_of_ids(
    rows: NDArray[np.float32], ids: NDArray[np.intp], n_samples: int | None
) -> NDArray[np.float32]:
    """Put rows in the order of their ids. Those that a sampler repeats count once."""
    found, first = np.unique(ids, return_index=True)
    if n_samples is not None and len(found) != n_samples:
        raise ValueError(
            f"Expected a DataLoader of all {n_samples} samples, got {len(found)} of them: make "
            "one without a sampler that leaves some out."
        )
    return rows[first]


def inputs_of(batch: Any) -> torch.Tensor:
    """Take what a model is called with: the batch, or its first item."""
    inputs = batch[0] if isinstance(batch, tuple | list) and batch else batch
    if not isinstance(inputs, torch.Tensor):
        raise ValueError(
            "Expected batches that are a tensor, or whose first item is one, got "
            f"{_described(batch)}: say how the model is called, as by "
            "forward=lambda model, batch: model(**batch)."
        )
    return inputs


def on_device(batch: Any, device: torch.device | None) -> Any:
    """Move a batch: all tensors in it, or itself where it knows how."""
    if device is None:
        return batch
    if hasattr(batch, "to"):  # a tensor, a batch of graphs, what a tokenizer gives
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: on_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(on_device(item, device) for item in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(on_device(item, device) for item in batch)
    return batch


def device_of(model: torch.nn.Module) -> torch.device | None:
    """Device of a model; None, that of the inputs, where it has no parameters."""
    parameter = next(model.parameters(), None)
    return None if parameter is None else parameter.device


def _described(batch: Any) -> str:
    name = type(batch).__name__
    return f"{name} of {type(batch[0]).__name__}" if isinstance(batch, tuple | list) else name
