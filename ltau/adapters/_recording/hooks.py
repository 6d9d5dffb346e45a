"""The hook on a layer of a model: what the layer gives, taken as it gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["find_layer", "one_row_a_sample", "outputs_of"]


def find_layer(model: torch.nn.Module, layer: str) -> torch.nn.Module:
    """Find a layer by its name."""
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ValueError(f"Expected layer to be one of {list(modules)[1:]}, got {layer!r}.")
    return modules[layer]


@contextmanager
def outputs_of(module: torch.nn.Module) -> Iterator[list[Any]]:
    """Collect what a module gives while the context lasts."""
    outputs: list[Any] = []

    def keep(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
        # A copy: a layer that works in place, such as ReLU(inplace=True), may come next.
        outputs.append(output.clone() if isinstance(output, torch.Tensor) else output)

    hook = module.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        hook.remove()


def one_row_a_sample(outputs: list[Any], layer: str, n: int | None = None) -> torch.Tensor:
    """Check that a layer ran once, and gave a row for each of the samples, if it is known."""
    if len(outputs) != 1:
        raise ValueError(
            f"Expected layer {layer!r} to run once a batch, it ran {len(outputs)} times."
        )
    output = outputs[0]
    if isinstance(output, torch.Tensor) and output.ndim == 2 and n in (None, len(output)):
        return output
    got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    rows = "n_samples" if n is None else n
    raise ValueError(f"Expected layer {layer!r} to give shape ({rows}, n_features), got {got}.")
