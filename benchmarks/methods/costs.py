"""What a method costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from benchmarks.harness.timing import fastest, processor_seconds
from benchmarks.methods.method import Method, Prediction

__all__ = ["Costs", "costs"]

T = TypeVar("T", bound=Prediction)

_N_TIMED = 3  # predictions that are timed; the fastest counts


class Costs(NamedTuple):
    """Seconds of the processor."""

    fit: float
    predict: float


def costs(
    method: Method[Any, Any, T],
    given: Any,
    asked: Any,
    read: Callable[[T], object] = lambda prediction: prediction,
) -> Costs:
    """Fit a method, and tell what that costs and what a prediction does.

    Parameters
    ----------
    method : Method
        A method; it is fitted here.
    given, asked : Any
        What it learns from, and what it is asked about.
    read : callable, optional
        Reads out of a prediction what counts as a part of it; nothing by default.

    Returns
    -------
    Costs
        Of the fit, and of the fastest of three predictions.
    """
    return Costs(
        fit=processor_seconds(lambda: method.fit(given))[1],
        predict=fastest(lambda: read(method.predict(asked)), _N_TIMED),
    )
