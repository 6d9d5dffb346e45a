"""A comparison as JSON knows it."""

from __future__ import annotations

import math
from typing import Any

from ltau.comparison._code import versions
from ltau.comparison._report.findings import findings
from ltau.comparison._results import Results
from ltau.comparison._scores import SCORES
from ltau.comparison._slices import failures

__all__ = ["as_dict"]


def as_dict(results: Results) -> dict[str, Any]:
    """Give everything that was measured; null where a score is not defined."""
    about = results.about
    return {
        "versions": versions(),
        "target": about.target,
        "model": about.model,
        "random_state": about.random_state,
        "n_rows": len(results.rows),
        "n_folds": results.n_folds,
        "n_groups": None if about.groups is None else len(set(about.groups.tolist())),
        "columns": [column.name for column in about.table.columns],
        "categorical": [column.name for column in about.table.categorical],
        "target_std": results.target_std,
        "findings": findings(results),
        "methods": {method: _method(results, method) for method in results.methods},
        "lost": results.lost,
        "skipped": results.skipped,
        "folds": [
            {name: _strict(value) for name, value in row.items()} for row in results.by_fold()
        ],
    }


def _method(results: Results, method: str) -> dict[str, Any]:
    scores = {name: results.score(method, name) for name in SCORES}
    return {
        "scores": {
            name: {"value": _strict(float(s)), "low": _strict(s.low), "high": _strict(s.high)}
            for name, s in scores.items()
        },
        "cost": results.cost(method)._asdict(),
        "slices": [failure._asdict() for failure in failures(results, method)],
    }


def _strict(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
