"""What a piece of code costs: seconds of the processor or of the clock, and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Quartiles", "fastest", "peak_bytes", "processor_seconds", "quartiles", "wall_seconds"]

T = TypeVar("T")


class Quartiles(NamedTuple):
    """The quartiles of some measurements."""

    low: float
    middle: float
    high: float


def processor_seconds(call: Callable[[], T]) -> tuple[T, float]:
    """Give what a call gives, and how long the processors worked for it in this process."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def wall_seconds(call: Callable[[], T]) -> tuple[T, float]:
    """Give what a call gives, and how long it took by the clock."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def fastest(call: Callable[[], object], n_rounds: int) -> float:
    """Time a call some times by the processor, and give the shortest time."""
    return min(processor_seconds(call)[1] for _ in range(n_rounds))


def quartiles(values: ArrayLike) -> Quartiles:
    """Compute the quartiles of some measurements, such as the ratios of two times."""
    return Quartiles(*np.quantile(np.asarray(values, np.float64), [0.25, 0.5, 0.75]).tolist())


def peak_bytes() -> int:
    """Give the most memory that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
