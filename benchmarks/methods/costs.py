"""What a method costs."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.harness.timing import fastest, processor_seconds
from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.judge import Judge

__all__ = ["Costs", "costs"]

_N_TIMED = 3  # predictions that are timed; the fastest counts


class Costs(NamedTuple):
    """Seconds of the processor."""

    fit: float
    predict: float


def costs(method: Judge, given: Domain, asked: Samples) -> Costs:
    """Fit a method, and tell what that costs and what a prediction does.

    Parameters
    ----------
    method : Judge
        A method; it is fitted here.
    given : Domain
        What it learns from.
    asked : Samples
        What it is asked about.

    Returns
    -------
    Costs
        Of the fit, and of the fastest of three predictions.
    """
    return Costs(
        fit=processor_seconds(lambda: method.fit(given))[1],
        predict=fastest(lambda: method.predict(asked), _N_TIMED),
    )
