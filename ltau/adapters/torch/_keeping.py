"""Modules whose numbers keep their types, whatever a model around them is converted to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch

__all__ = ["KeepsTypes"]


class KeepsTypes(torch.nn.Module):
    """Moves its buffers to any device; what would convert them, as half() does, does not.

    What it is made of is its own affair, and not printed.
    """

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        def move(tensor: torch.Tensor) -> torch.Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(move, recurse)

    def __repr__(self) -> str:
        device = next((str(buffer.device) for buffer in self.buffers()), "cpu")
        return f"{type(self).__name__}(device={device!r})"
