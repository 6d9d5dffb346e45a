"""The scores and the labels of many systems, a column each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.is2rs.measuring.evaluation import Detection, evaluate
from benchmarks.is2rs.measuring.judging import Relaxed
from benchmarks.is2rs.measuring.scores import BASELINES, QUANTITIES, Name, scores

__all__ = ["bad", "clusters", "common", "detect", "score_columns", "shown"]

Floats = NDArray[np.float64]


def clusters(relaxed: Sequence[Relaxed]) -> NDArray[np.str_]:
    """Give the cluster of each system."""
    return np.array([each.system.cluster for each in relaxed])


def bad(relaxed: Sequence[Relaxed], label: str) -> Floats:
    """Give a label of each system as 1 for bad and 0 for good, NaN where it is unknown."""
    values = [each.judgement.labels[label] for each in relaxed]
    return np.array([np.nan if value is None else float(value) for value in values])


def common(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """List the names that all rows have, in their order."""
    return [name for name in rows[0] if all(name in row for row in rows)]


def score_columns(relaxed: Sequence[Relaxed], first: int | None = None) -> dict[str, Floats]:
    """Give the `measuring.scores.scores` that all systems have.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems.
    first : int, optional
        How many steps to look at; all by default.

    Returns
    -------
    dict of str to ndarray of shape (n_systems,)
        By the name of the score.
    """
    rows = [scores(each.path, first) for each in relaxed]
    return {name: np.array([row[name] for row in rows]) for name in common(rows)}


def shown(columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """Take the baselines, and one score of each quantity: max over steps of the mean over atoms.

    That way of putting steps and atoms together was chosen before any result was seen.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_systems,)
        Of `score_columns`.

    Returns
    -------
    dict of str to ndarray of shape (n_systems,)
        By the name of the quantity or the baseline alone.
    """
    names = [*(str(Name(quantity, "max", "mean")) for quantity in QUANTITIES), *BASELINES]
    return {Name.split(name).quantity: columns[name] for name in names if name in columns}


def detect(
    relaxed: Sequence[Relaxed], columns: Mapping[str, Floats], label: str, n_resamples: int
) -> dict[str, Detection]:
    """Evaluate how well each score tells systems that have a label from those that do not.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems.
    columns : mapping of str to ndarray of shape (n_systems,)
        Scores by name.
    label : str
        The label.
    n_resamples : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Detection
        By the name of the score.
    """
    labels = [each.judgement.labels[label] for each in relaxed]
    of = clusters(relaxed)
    return {name: evaluate(column, labels, of, n_resamples) for name, column in columns.items()}
