"""What a comparison found, in sentences: what ranks best, what covers, what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ltau.comparison._finding import REFERENCE
from ltau.comparison._report.cells import score_cell
from ltau.comparison._results import Results
from ltau.comparison._slices import failures, lowest_by_chance

__all__ = ["findings"]

_COVERED = 0.9


def findings(results: Results) -> dict[str, str]:
    """Answer the questions of a comparison.

    Parameters
    ----------
    results : Results
        The comparison.

    Returns
    -------
    dict of str to str
        A question, and what was found.
    """
    return {
        "What predicts best?": _best(results, "crps", "the lowest CRPS"),
        "What ranks errors best?": _best(results, "spearman", "the highest rank correlation"),
        "What covers?": _coverage(results),
        "What does it cost?": _costs(results),
        "Where does it fail?": _where(results),
    }


def _best(results: Results, score: str, what: str) -> str:
    """Name the best method, and those that are tied with it: the difference may be 0."""
    best = results.best(score)
    if best is None:
        return f"No method has {what}: it is not defined for any of them."
    said = f"{best} has {what}, {score_cell(results.score(best, score))}."
    others = [m for m in results.methods if m != best and not math.isnan(results.score(m, score))]
    tied = [method for method in others if _includes_zero(results, method, best, score)]
    if tied:
        return f"{said} Statistically tied with it: {_listed(tied)}."
    return f"{said} The others are worse by more than chance explains." if others else said


def _includes_zero(results: Results, method: str, best: str, score: str) -> bool:
    difference = results.difference(method, best, score)
    return not (difference.low > 0 or difference.high < 0)


def _coverage(results: Results) -> str:
    estimates = {method: results.score(method, "coverage_90") for method in results.methods}
    right = [m for m, e in estimates.items() if e.low <= _COVERED <= e.high]
    low = [m for m, e in estimates.items() if e.high < _COVERED]
    high = [m for m, e in estimates.items() if e.low > _COVERED]
    kinds = (
        (right, "agree with 90 %"),
        (low, "hold too few targets"),
        (high, "hold too many"),
    )
    said = [
        f"{what} for {_listed(f'{m} ({float(estimates[m]):.2f})' for m in methods)}"
        for methods, what in kinds
        if methods
    ]
    return f"The 90 % intervals {'; '.join(said)}."


def _costs(results: Results) -> str:
    fits = {method: results.cost(method).fit for method in results.methods if method != REFERENCE}
    if not fits:
        return "One training and one prediction of the model."
    cheapest, dearest = min(fits, key=fits.__getitem__), max(fits, key=fits.__getitem__)
    return (
        f"From {fits[cheapest]:.1f} times one training of the model ({cheapest}) to "
        f"{fits[dearest]:.1f} times ({dearest})."
    )


def _where(results: Results) -> str:
    best = results.best("crps") or REFERENCE
    lowest = failures(results, best)[:1]
    if not lowest:
        return "There are too few rows to tell."
    (worst,) = lowest
    said = (
        f"The 90 % intervals of {best} hold {worst.coverage:.2f} of the {worst.n_rows} rows with "
        f"{worst.where}, the lowest of all slices"
    )
    if results.about.groups is not None:
        return f"{said}."
    return f"{said}; misses that fell on any row alike would leave about " + (
        f"{lowest_by_chance(results, best):.2f} in the lowest."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
