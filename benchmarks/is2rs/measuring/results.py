"""Every number of the report, with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.is2rs.measuring.areas import precision_recall_area, roc_area
from benchmarks.is2rs.measuring.columns import bad, clusters, detect, score_columns, shown
from benchmarks.is2rs.measuring.evaluation import Measured, measure, rank
from benchmarks.is2rs.measuring.judging import Relaxed
from benchmarks.is2rs.measuring.one_label import main_label, measure_label
from benchmarks.is2rs.measuring.ranking import Rows, atom_rows, step_rows
from benchmarks.is2rs.measuring.thresholds import (
    average_distance_within_threshold,
    average_force_within_threshold,
)
from benchmarks.is2rs.sources.systems import SPLITS

__all__ = ["ALL", "measure_all", "parts"]

Floats = NDArray[np.float64]

ALL = "all"
"""The part that is all systems."""


def measure_all(relaxed: Sequence[Relaxed], n_resamples: int) -> dict[str, Any]:
    """Measure all that the report shows.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems, at least one.
    n_resamples : int
        Resamples of each bootstrap, which draws whole clusters.

    Returns
    -------
    dict
        ``models``, how many relaxed the systems. ``parts``, of all systems and of each split:
        how relaxations end, how well scores tell the bad ones by each label, and how they rank
        true errors. ``cost``, seconds of a step over those of the force field alone. ``main
        label``, and if there is one, all of `measuring.one_label.measure_label`.
    """
    label = main_label(relaxed)
    measured = {
        "models": len({each.fold for each in relaxed}),
        "parts": {name: _part(part, n_resamples) for name, part in parts(relaxed).items()},
        "cost": measure(
            _ratio,
            np.array([each.step_seconds for each in relaxed]),
            np.array([each.forward_seconds for each in relaxed]),
            clusters=clusters(relaxed),
            n_resamples=n_resamples,
        ),
        "main label": label,
    }
    return measured if label is None else measured | measure_label(relaxed, label, n_resamples)


def parts(relaxed: Sequence[Relaxed]) -> dict[str, list[Relaxed]]:
    """Give all systems, then those of each split if there are several."""
    present = {each.system.split for each in relaxed}
    ordered = [split for split in SPLITS if split in present]
    ordered += sorted(present - {*SPLITS, ALL})
    named = ordered if len(present) > 1 else []
    return {ALL: list(relaxed)} | {
        split: [each for each in relaxed if each.system.split == split] for split in named
    }


def _part(relaxed: Sequence[Relaxed], n_resamples: int) -> dict[str, Any]:
    columns, labels = score_columns(relaxed), list(relaxed[0].judgement.labels)
    few = shown(columns)
    return {
        "systems": len(relaxed),
        "clusters": len(np.unique(clusters(relaxed))),
        "ends": _ends(relaxed, n_resamples),
        "rates": {
            label: _over_known(np.mean, bad(relaxed, label), relaxed, n_resamples)
            for label in labels
        },
        "detection": {label: detect(relaxed, few, label, n_resamples) for label in labels},
        "areas": {label: _areas(columns, bad(relaxed, label)) for label in labels},
        "ranking": _ranking(relaxed, few, n_resamples),
    }


def _ends(relaxed: Sequence[Relaxed], n_resamples: int) -> dict[str, Measured]:
    """Measure how far, on average, relaxations are from those of the reference method."""
    judged = [each.judgement for each in relaxed]
    distances = [each.distance for each in judged]
    means: dict[str, Sequence[float | None]] = {
        "converged": [each.path.converged for each in relaxed],
        "steps": [each.n_steps for each in judged],
        "distance": distances,
        "energy error": [each.energy_error for each in judged],
        "force error": [each.force_error_mean for each in judged],
    }
    final_forces = [each.final_force for each in relaxed]
    return {
        **{
            name: _over_known(np.mean, values, relaxed, n_resamples)
            for name, values in means.items()
        },
        "ADwT": _over_known(average_distance_within_threshold, distances, relaxed, n_resamples),
        "AFbT": _over_known(average_force_within_threshold, final_forces, relaxed, n_resamples),
    }


def _over_known(
    statistic: Callable[[Floats], float],
    values: Sequence[float | None] | Floats,
    relaxed: Sequence[Relaxed],
    n_resamples: int,
) -> Measured:
    """Measure over the systems whose value is not NaN."""
    array = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(array)
    return measure(
        statistic, array[known], clusters=clusters(relaxed)[known], n_resamples=n_resamples
    )


def _areas(columns: Mapping[str, Floats], truth: Floats) -> dict[str, dict[str, float]] | None:
    """Give both areas of every score without intervals; None where a class is missing."""
    known = ~np.isnan(truth)
    is_bad = truth[known] == 1
    if is_bad.all() or not is_bad.any():
        return None
    return {
        name: {
            "auroc": roc_area(is_bad, column[known]),
            "auprc": precision_recall_area(is_bad, column[known]),
        }
        for name, column in columns.items()
    }


def _ranking(
    relaxed: Sequence[Relaxed], few: Mapping[str, Floats], n_resamples: int
) -> dict[str, Any]:
    """Measure how scores of relaxations, of steps and of atoms rank what is true of them."""
    of = clusters(relaxed)
    steps = step_rows(relaxed)
    distances = np.array([each.judgement.distance for each in relaxed])
    energy_errors = np.array([each.judgement.energy_error for each in relaxed])
    return {
        "distance": _ranks(Rows(distances, dict(few), of), n_resamples),
        "energy error": _ranks(Rows(energy_errors, dict(few), of), n_resamples),
        "steps": _ranks(steps, n_resamples),
        "atoms": _ranks(atom_rows(relaxed), n_resamples),
        "scale": _scale(steps, n_resamples),
    }


def _ranks(rows: Rows | None, n_resamples: int) -> dict[str, Measured]:
    if rows is None:
        return {}
    return {
        name: rank(column, rows.truth, rows.clusters, n_resamples)
        for name, column in rows.scores.items()
    }


def _scale(rows: Rows | None, n_resamples: int) -> Measured:
    """Measure the mean true error over the mean expected one."""
    if rows is None:
        return Measured(None, reason="No true forces are known.")
    expected = rows.scores["expected error"]
    return measure(_ratio, rows.truth, expected, clusters=rows.clusters, n_resamples=n_resamples)


def _ratio(above: Floats, below: Floats) -> float:
    return float(above.sum() / below.sum())
