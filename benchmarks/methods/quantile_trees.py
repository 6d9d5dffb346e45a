"""Gradient-boosted trees that predict quantiles of the error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.distributions import from_quantiles
from benchmarks.methods.staged import Staged
from ltau import ErrorDistribution

__all__ = ["QuantileTrees"]

Floats = NDArray[np.float64]

_LEVELS = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
_N_ROUNDS = 150
_FIXED = {
    "objective": "quantile",
    "learning_rate": 0.1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "verbose": -1,
}
_LEAST = 1e-3  # of an error, in units of the median: its logarithm is taken


class QuantileTrees(Staged):
    """One model of boosted trees for each quantile [1]_ of the logarithm of the error.

    A quantile of the logarithm is the logarithm of the quantile, and keeps errors positive. The
    pinball loss of the errors themselves, summed over the quantiles, chooses how many leaves a
    tree has, and for each quantile how many trees there are. LightGBM [2]_ grows them.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 33-50 (1978).
       doi:10.2307/1913643
    .. [2] G. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree",
       NeurIPS (2017).
    """

    candidates: ClassVar = ({"num_leaves": 8}, {"num_leaves": 31})

    def losses(
        self, settings: Mapping[str, Any], X: Floats, errors: Floats, others: Floats, seen: Floats
    ) -> Floats:
        """Compute the mean pinball losses of other samples after each round."""
        rows = _in_rows(X, errors)
        found = []
        for level in _LEVELS:
            trees = _grow(level, _N_ROUNDS, settings, *rows)
            above = seen[None] - _after_each_round(trees, others)[:, :, None]
            found.append(np.maximum(level * above, (level - 1) * above).mean(axis=(1, 2)))
        return np.stack(found)

    def fit(self, X: Floats, errors: Floats) -> Self:
        """Grow the trees of each quantile."""
        rows = _in_rows(X, errors)
        self.models = [
            _grow(level, int(n_rounds), self.settings, *rows)
            for level, n_rounds in zip(_LEVELS, self.n_stages, strict=True)
        ]
        return self

    def predict(self, X: Floats) -> ErrorDistribution:
        """Predict the quantiles; between them the distribution is linear."""
        logarithms = [model.predict(X) for model in self.models]
        return from_quantiles(np.exp(np.stack(logarithms, axis=1)), _LEVELS)


def _grow(
    level: float, n_rounds: int, settings: Mapping[str, Any], X: Floats, logarithms: Floats
) -> lightgbm.Booster:
    parameters = {**_FIXED, **settings, "alpha": level}
    return lightgbm.train(parameters, lightgbm.Dataset(X, logarithms), n_rounds)


def _after_each_round(trees: lightgbm.Booster, X: Floats) -> Floats:
    """Predict errors with the first trees alone, shape (n_rounds, n_samples).

    Where nothing is left to split, growing ends early, and later rounds are as the last.
    """
    each = [
        trees.predict(X, start_iteration=number, num_iteration=1)
        for number in range(trees.current_iteration())
    ]
    sums = np.cumsum(each, axis=0)
    return np.exp(sums[np.minimum(np.arange(_N_ROUNDS), len(sums) - 1)])


def _in_rows(X: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Give each observation a row of its own, with the logarithm of the error."""
    least = _LEAST * float(np.median(errors))
    return np.repeat(X, errors.shape[1], axis=0), np.log(np.maximum(errors, least)).ravel()
