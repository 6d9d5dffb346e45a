"""What TorchScript compiles: torch's own functions, not what other packages put in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["own_functions"]


@contextmanager
def own_functions() -> Iterator[None]:
    """Let ``torch.index_select`` be torch's own for a while.

    metatensor compiles calls of it when it is imported. torch_geometric, which SevenNet needs,
    puts a function of its own there, which TorchScript cannot compile.
    """
    replaced = torch.index_select
    torch.index_select = torch._VF.index_select
    try:
        yield
    finally:
        torch.index_select = replaced
