"""What error bars around trees know of samples beyond the training data.

``python -m benchmarks.trees`` trains boosted trees and forests on the sets of
`benchmarks.regression`, and asks `LTAURegressor` which rows lie outside: rows of the test folds,
the same with one feature moved by its whole range, and the fifth of the rows that a cut across the
first principal component leaves out, at either end. Beside it stands what the leaves of
the trees alone would say. ``--quick`` takes two sets and two folds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.preprocessing import StandardScaler

from benchmarks.harness.data import SETS, Dataset, Split, load
from benchmarks.harness.tables import Mean, markdown_table
from ltau import LTAUEstimator
from ltau.adapters.sklearn import LTAURegressor, latents
from ltau.metrics import coverage

MAX_TRAIN = MAX_TEST = 2000
MODELS: dict[str, Any] = {
    "boosted trees": HistGradientBoostingRegressor(),
    "forest": RandomForestRegressor(),
}
KINDS = {"inside": "Like the training rows", "moved": "One feature moved", "cut": "Beyond a cut"}

Floats = NDArray[np.float64]


class Answer(NamedTuple):
    """What is said of some rows: shares of them."""

    flagged: float  # by LTAURegressor
    flagged_by_leaves: float
    covered: float  # by the 90 % intervals


class Asked:
    """A regressor with error bars, and an estimator that knows no more than its leaves."""

    def __init__(self, base: Any, X: Floats, y: Floats) -> None:
        self.model = LTAURegressor(base).fit(X, y)
        leaves = latents(self.model.estimator_, X)
        any_errors = np.ones((len(y), 1))  # distances do not depend on them
        self.by_leaves = LTAUEstimator(20, scaling="none").fit(leaves, any_errors)

    def flags(self, X: Floats) -> tuple[float, float]:
        """Share of the rows that lie outside, by the regressor and by its leaves."""
        leaves = latents(self.model.estimator_, X)
        return self.model.predict_ood(X).mean(), self.by_leaves.predict_ood(leaves).mean()

    def answer(self, X: Floats, y: Floats) -> Answer:
        """Ask about rows whose targets are known."""
        errors = np.abs(y - self.model.predict(X))
        low, high = self.model.predict_interval(X, level=0.9).T
        return Answer(*self.flags(X), coverage(errors, upper=(high - low) / 2))

    def answer_moved(self, X: Floats, ranges: Floats) -> Answer:
        """Ask about rows of which one feature is moved by its range, each feature in turn."""
        moved = [X + shift for shift in np.diag(ranges)]
        flagged, by_leaves = np.mean([self.flags(rows) for rows in moved], axis=0)
        return Answer(flagged, by_leaves, np.nan)


def cuts(data: Dataset) -> Iterator[Split]:
    """Leave out the fifth of the rows at either end of the first principal component."""
    scaled = StandardScaler().fit_transform(data.X)
    along = np.linalg.svd(scaled, full_matrices=False)[0][:, 0]
    for rows in (np.argsort(along), np.argsort(-along)):
        rng, n_seen = np.random.default_rng(0), int(0.8 * len(rows))
        yield rng.permutation(rows[:n_seen])[:MAX_TRAIN], rng.permutation(rows[n_seen:])[:MAX_TEST]


def measure(base: Any, data: Dataset, n_folds: int) -> dict[str, list[Answer]]:
    """Ask a model about all kinds of rows of a set."""
    answers: dict[str, list[Answer]] = {kind: [] for kind in KINDS}
    for fold in range(n_folds):
        seen, new = data.split(fold, MAX_TRAIN, MAX_TEST)
        asked = Asked(base, data.X[seen], data.y[seen])
        answers["inside"].append(asked.answer(data.X[new], data.y[new]))
        answers["moved"].append(asked.answer_moved(data.X[new], np.ptp(data.X[seen], axis=0)))
    for seen, new in cuts(data):
        asked = Asked(base, data.X[seen], data.y[seen])
        answers["cut"].append(asked.answer(data.X[new], data.y[new]))
    return answers


def lines(model: str, answers: dict[str, list[Answer]]) -> Iterator[list[str]]:
    """Lay out what is said of rows of a kind, set by set and on average: with standard errors."""
    of_sets = {name: [Mean.of(v) for v in zip(*a, strict=True)] for name, a in answers.items()}
    of_sets["all sets"] = [Mean.over_sets(means) for means in zip(*of_sets.values(), strict=True)]
    for name, means in of_sets.items():
        yield [name, model, *(mean.format() for mean in means)]


def main() -> None:
    """Measure, and print a table for each kind of rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trees", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sets, two folds")
    quick = parser.parse_args().quick
    sets = {name: load(name) for name in (("yacht", "concrete") if quick else SETS)}
    measured = {
        model: {name: measure(base, data, 2 if quick else 5) for name, data in sets.items()}
        for model, base in MODELS.items()
    }
    header = ["Set", "Model", "Flagged", "Flagged by leaves alone", "Coverage, 90 %"]
    for kind, title in KINDS.items():
        rows = [
            line
            for model, answers in measured.items()
            for line in lines(model, {name: of_kinds[kind] for name, of_kinds in answers.items()})
        ]
        print(f"## {title}\n\n{markdown_table(header, rows)}\n")


if __name__ == "__main__":
    main()
