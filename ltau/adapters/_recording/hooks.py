"""The hook on a layer of a model: what the layer gives, taken as it gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["POOL_REMEDY", "Pool", "find_layer", "one_row_a_sample", "outputs_of"]

# Of what a layer gives and what the model was called with: one row per sample.
Pool = Callable[[Any, Any], torch.Tensor]

POOL_REMEDY = (
    "Where it gives several rows per sample, such as tokens or nodes, make one of them by "
    "pool=lambda output, batch: ..."
)


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


def one_row_a_sample(
    outputs: list[Any], layer: str, inputs: Any, pool: Pool | None, n: int | None = None
) -> torch.Tensor:
    """Check that a layer ran once, and make one row per sample, if their number is known."""
    if len(outputs) != 1:
        raise ValueError(
            f"Expected layer {layer!r} to run once per batch, it ran {len(outputs)} times."
        )
    rows = outputs[0] if pool is None else pool(outputs[0], inputs)
    if isinstance(rows, torch.Tensor) and rows.ndim == 2 and n in (None, len(rows)):
        return rows
    got = tuple(rows.shape) if isinstance(rows, torch.Tensor) else type(rows).__name__
    shape = f"shape ({'n_samples' if n is None else n}, n_features)"
    if pool is not None:
        raise ValueError(f"Expected pool to give {shape}, got {got}.")
    raise ValueError(f"Expected layer {layer!r} to give {shape}, got {got}. {POOL_REMEDY}")
