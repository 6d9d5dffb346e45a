"""What is measured of one label alone: early warnings, what is set aside, alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.is2rs.measuring.alarms import lead_time
from benchmarks.is2rs.measuring.columns import bad, clusters, common, detect, score_columns, shown
from benchmarks.is2rs.measuring.evaluation import measure, risk_coverage
from benchmarks.is2rs.measuring.judging import Relaxed
from benchmarks.is2rs.measuring.scores import step_scores
from ltau.metrics import UndefinedMetricError, risk_coverage_curve

__all__ = ["FIRST", "KEPT", "main_label", "measure_label"]

Floats = NDArray[np.float64]

FIRST = (1, 5, 10, 20)
"""Steps after which an early warning is given."""

KEPT = 0.8
"""Share of the relaxations that is kept when the most suspect ones are set aside."""

_ORDER = ("L2 0.3", "L2 0.1", "L2 0.5", "L3 0.5", "L3 0.1", "L3 1.0", "L4", "L1", "any")


def main_label(relaxed: Sequence[Relaxed]) -> str | None:
    """Choose the label for what is shown of one alone.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems.

    Returns
    -------
    str or None
        ``"L2 0.3"`` if some systems have it and some do not; or else the first of a fixed order
        of which this holds; None if there is none.
    """
    for label in _ORDER:
        if {True, False} <= {each.judgement.labels[label] for each in relaxed}:
            return label
    return None


def measure_label(relaxed: Sequence[Relaxed], label: str, n_resamples: int) -> dict[str, Any]:
    """Measure what is shown of one label.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems; where the label is unknown, they are left out.
    label : str
        The label.
    n_resamples : int
        Of each bootstrap.

    Returns
    -------
    dict
        ``early warning``, the detection by each score of the first steps; ``aggregations``, that
        by each way to put steps and atoms together; ``risk-coverage``, by score, the curve and
        the share of bad systems among those ``kept``; ``lead time``, by score, the alarm with
        the share of bad systems ``caught``, and by how many ``steps``.
    """
    known = [each for each in relaxed if each.judgement.labels[label] is not None]
    return {
        "early warning": {
            first: detect(known, shown(score_columns(known, first)), label, n_resamples)
            for first in FIRST
        },
        "aggregations": detect(known, score_columns(known), label, n_resamples),
        "risk-coverage": _risk_coverage(known, label, n_resamples),
        "lead time": _lead_times(known, label, n_resamples),
    }


def _risk_coverage(
    relaxed: Sequence[Relaxed], label: str, n_resamples: int
) -> dict[str, dict[str, Any]]:
    truth, of = bad(relaxed, label), clusters(relaxed)
    return {
        name: risk_coverage(column, truth, of, n_resamples)._asdict()
        | {"kept": measure(_risk_kept, truth, column, clusters=of, n_resamples=n_resamples)}
        for name, column in shown(score_columns(relaxed)).items()
    }


def _risk_kept(truth: Floats, column: Floats) -> float:
    coverage, risk = risk_coverage_curve(truth, column)
    return float(risk[np.searchsorted(coverage, KEPT - 1e-9)])


def _lead_times(
    relaxed: Sequence[Relaxed], label: str, n_resamples: int
) -> dict[str, dict[str, Any]]:
    rows = [step_scores(each.path) for each in relaxed]
    is_bad, of = bad(relaxed, label) == 1, clusters(relaxed)
    return {
        name: _lead_time([row[name] for row in rows], is_bad, of, n_resamples)
        for name in common(rows)
    }


def _lead_time(
    steps: list[Floats], is_bad: NDArray[np.bool_], of: NDArray[np.str_], n_resamples: int
) -> dict[str, Any]:
    """Measure what an alarm is worth; each resample sets a threshold of its own."""

    def number(chosen: NDArray[np.int64], field: str) -> float:
        found = lead_time([steps[i] for i in chosen], is_bad[chosen])
        value: float | None = getattr(found, field)
        if value is None:
            raise UndefinedMetricError(found.reason or "No bad relaxation is caught.")
        return value

    everyone = np.arange(len(steps))
    return lead_time(steps, is_bad)._asdict() | {
        field: measure(
            lambda chosen, field=field: number(chosen, field),
            everyone,
            clusters=of,
            n_resamples=n_resamples,
        )
        for field in ("false_positives", "caught", "steps")
    }
