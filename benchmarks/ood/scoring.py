"""Scores of a method on a test set, with intervals clustered by structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.domains import Samples
from benchmarks.methods.predictions import ErrorPrediction
from ltau.metrics import (
    UndefinedMetricError,
    auprc,
    auroc,
    bootstrap_estimate,
    calibration_curve,
    pit,
    risk_coverage_area,
    spearman,
)

__all__ = ["Score", "detection", "score", "spearman_within"]

Floats = NDArray[np.float64]
Score = tuple[float, float, float]  # value, and the ends of its interval


def score(
    prediction: ErrorPrediction, samples: Samples, n_resamples: int = 200
) -> dict[str, Score | None]:
    """Score predicted errors on one test set.

    Parameters
    ----------
    prediction : ErrorPrediction
        What the method says of the samples.
    samples : Samples
        The samples, with their errors.
    n_resamples : int, default=200
        Resamples of the bootstrap, which draws whole structures, or systems of them.

    Returns
    -------
    dict of str to (float, float, float) or None
        Each score with its 95 % interval, None where it is not defined. ``spearman``, of
        the expected with the observed error; ``spearman_within`` classes, their average
        weighted by size; ``spearman_structures``, of the means of each structure; ``ratio``,
        mean observed over mean expected error; ``miscalibration``; ``coverage_50`` and
        ``coverage_90`` of the bounds; ``crps``; ``risk``, the area under the risk-coverage
        curve; ``error``, the mean of the model.
    """
    e, expected = samples.errors, prediction.errors.mean()
    groups, structures = samples.groups, samples.structures
    levels = pit(e, prediction.errors)
    inside = e[:, None] <= prediction.bounds

    def estimate(statistic: Callable[..., float], *rows: Any, of: Any = groups) -> Score | None:
        return _estimate(statistic, *rows, groups=of, n_resamples=n_resamples)

    scores = {
        "spearman": estimate(spearman, e, expected),
        "ratio": estimate(_ratio, e, expected),
        "miscalibration": estimate(_miscalibration, levels),
        "coverage_50": estimate(np.mean, inside[:, 0]),
        "coverage_90": estimate(np.mean, inside[:, 1]),
        "crps": estimate(np.mean, prediction.errors.crps(e)),
        "risk": estimate(risk_coverage_area, e, expected),
        "error": estimate(np.mean, e),
    }
    if samples.classes is not None:
        scores["spearman_within"] = estimate(spearman_within, e, expected, samples.classes)
    _, first = np.unique(structures, return_index=True)
    if len(first) < len(structures):
        means = _means(e, structures), _means(expected, structures)
        scores["spearman_structures"] = estimate(spearman, *means, of=groups[first])
    return scores


def detection(
    inside: ErrorPrediction,
    inside_samples: Samples,
    beyond: ErrorPrediction,
    beyond_samples: Samples,
    n_resamples: int = 200,
) -> dict[str, Score | None]:
    """Score how well the mean `ood_score` of a structure tells a shifted test from that in domain.

    Parameters
    ----------
    inside, beyond : ErrorPrediction
        What the method says of both test sets.
    inside_samples, beyond_samples : Samples
        Both test sets.
    n_resamples : int, default=200
        As in `score`.

    Returns
    -------
    dict of str to (float, float, float) or None
        ``auroc`` and ``auprc``.
    """
    scores = [
        _means(prediction.ood_score, samples.structures)
        for prediction, samples in ((inside, inside_samples), (beyond, beyond_samples))
    ]
    shifted = np.repeat([False, True], [len(part) for part in scores])
    values, systems = np.concatenate(scores), _systems(inside_samples, beyond_samples)
    return {
        metric.__name__: _estimate(metric, shifted, values, groups=systems, n_resamples=n_resamples)
        for metric in (auroc, auprc)
    }


def spearman_within(e: Floats, expected: Floats, classes: NDArray[np.int64]) -> float:
    """Average the rank correlation over classes, weighted by their sizes."""
    labels, sizes = np.unique(classes, return_counts=True)
    each = [spearman(e[classes == label], expected[classes == label]) for label in labels]
    return float(np.average(each, weights=sizes))


def _systems(*tests: Samples) -> NDArray[np.int64]:
    """Give the groups of the structures of all tests numbers."""
    parts, n_systems = [], 0
    for samples in tests:
        _, first = np.unique(samples.structures, return_index=True)
        _, systems = np.unique(samples.groups[first], return_inverse=True)
        parts.append(n_systems + systems)
        n_systems += int(systems.max()) + 1
    return np.concatenate(parts)


def _estimate(
    statistic: Callable[..., float], *rows: Any, groups: Any, n_resamples: int
) -> Score | None:
    try:
        found = bootstrap_estimate(statistic, *rows, groups=groups, n_resamples=n_resamples)
    except UndefinedMetricError:
        return None
    return float(found), found.low, found.high


def _ratio(e: Floats, expected: Floats) -> float:
    return float(e.mean() / expected.mean())


def _miscalibration(levels: Floats) -> float:
    wanted, observed = calibration_curve(levels)
    return float(np.abs(observed - wanted).mean())


def _means(values: Floats, structures: NDArray[np.int64]) -> Floats:
    """Average over each structure; samples without infinite scores, as duplicates may have."""
    finite = np.minimum(values, np.finfo(np.float32).max)
    return np.bincount(structures, weights=finite) / np.bincount(structures)
