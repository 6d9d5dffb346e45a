"""Named arrays: what every part of an estimator is saved as."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

__all__ = ["Arrays", "prefixed", "section"]

Arrays = dict[str, NDArray[Any]]


def prefixed(prefix: str, arrays: Arrays) -> Arrays:
    """Put `prefix` before the name of each array."""
    return {prefix + name: array for name, array in arrays.items()}


def section(arrays: Arrays, prefix: str) -> Arrays:
    """Take the arrays whose names begin with `prefix`, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
