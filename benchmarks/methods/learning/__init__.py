"""The methods that are compared: each trains on the same rows and predicts with uncertainty.

What a method spends on held-out rows, further networks or further passes is its own affair, and
shows in its accuracy and in its cost. Settings were fixed beforehand, not tuned on the test rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from mapie.regression import SplitConformalRegressor
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from benchmarks.harness.network import Network
from benchmarks.methods.predictions import (
    HalfNormal,
    Prediction,
    QuantilePrediction,
    SymmetricPrediction,
    constant_distribution,
)
from ltau import LTAUEstimator

__all__ = ["METHODS", "REFERENCE", "Method", "make_estimator"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

_HELD_OUT = 0.2  # share of the training rows, where a method needs rows not trained on
_N_FOLDS = 5


class Method(ABC):
    """A regressor that says how wrong it may be.

    Parameters
    ----------
    n_epochs : int
        Epochs of training of every network.
    seed : int
        Seed of everything random.
    """

    def __init__(self, n_epochs: int, seed: int) -> None:
        self.n_epochs = n_epochs
        self.seed = seed

    @abstractmethod
    def fit(self, X: Floats, y: Floats) -> Self:
        """Learn from X of shape (n_samples, n_features) and y of shape (n_samples,)."""

    @abstractmethod
    def predict(self, X: Floats) -> Prediction:
        """Predict the target and the distribution of the error."""

    def _network(self, *, dropout: float = 0.0, member: int = 0) -> Network:
        """Make the network, untrained; each member of an ensemble has a seed of its own."""
        return Network(self.n_epochs, dropout=dropout, seed=1000 * member + self.seed)

    def _hold_out(self, n: int) -> tuple[Rows, Rows]:
        """Divide the training rows: to train on, and to hold out."""
        shuffled = np.random.default_rng(self.seed).permutation(n)
        train, held_out = np.split(shuffled, [n - round(_HELD_OUT * n)])
        return train, held_out


def make_estimator() -> LTAUEstimator:
    """Make LTAU as the first page of the documentation has it."""
    return LTAUEstimator(n_neighbors=30, burn_in=1 / 3, scaling="none", distance_scaling=0.0)


class LTAU(Method):
    """One network, and the errors that it made on its training rows while it trained."""

    def fit(self, X: Floats, y: Floats) -> Self:
        """Train, then fit the errors logged from the training step."""
        self.network = self._network().fit(X, y)
        self.estimator = make_estimator().fit(self.network.latents(X), self.network.errors_)
        return self

    def predict(self, X: Floats) -> SymmetricPrediction:
        """Predict from one forward pass and a search among the training rows."""
        latents = self.network.latents(X)
        return SymmetricPrediction(
            self.network.readout(latents), self.estimator.predict_distribution(latents)
        )


class LTAUHeldOut(LTAU):
    """LTAU on the errors of held-out rows, logged after each epoch."""

    def fit(self, X: Floats, y: Floats) -> Self:
        """Train on four fifths; fit the errors of the last fifth."""
        train, held_out = self._hold_out(len(y))
        self.network = self._network().fit(X[train], y[train], held_out=(X[held_out], y[held_out]))
        self.estimator = make_estimator().fit(
            self.network.latents(X[held_out]), self.network.held_out_errors_
        )
        return self


class LTAUOutOfFold(LTAU):
    """LTAU on out-of-fold errors: every training row was held out from one of five networks."""

    def fit(self, X: Floats, y: Floats) -> Self:
        """Train five networks for the errors, and on all rows the one that predicts."""
        errors = np.empty((len(y), self.n_epochs), np.float32)
        folds = KFold(_N_FOLDS, shuffle=True, random_state=self.seed)
        for member, (train, fold) in enumerate(folds.split(X), start=1):
            network = self._network(member=member)
            network.fit(X[train], y[train], held_out=(X[fold], y[fold]))
            errors[fold] = network.held_out_errors_
        self.network = self._network().fit(X, y)
        self.estimator = make_estimator().fit(self.network.latents(X), errors)
        return self


class Gaussian(Method):
    """Several predictions a sample: their spread and a constant noise, fitted to held-out rows."""

    @abstractmethod
    def _train(self, X: Floats, y: Floats) -> None: ...

    @abstractmethod
    def _draws(self, X: Floats) -> Floats:
        """Predict several times, shape (n_draws, n_samples)."""

    def fit(self, X: Floats, y: Floats) -> Self:
        """Train on four fifths, find the likeliest noise on the last fifth; train on all rows."""
        train, held_out = self._hold_out(len(y))
        self._train(X[train], y[train])
        draws = self._draws(X[held_out])
        squared = (y[held_out] - draws.mean(axis=0)) ** 2
        spread = draws.var(axis=0, ddof=1)

        def negative_log_likelihood(log_noise: float) -> float:
            variance = spread + np.exp(log_noise)
            return float((np.log(variance) + squared / variance).mean())

        around = np.log(squared.mean())
        found = minimize_scalar(
            negative_log_likelihood, bounds=(around - 15, around + 2), method="bounded"
        )
        self.noise = float(np.exp(found.x))
        self._train(X, y)
        return self

    def predict(self, X: Floats) -> SymmetricPrediction:
        """Predict the mean of the draws, with a Gaussian around it."""
        draws = self._draws(X)
        sigma = np.sqrt(draws.var(axis=0, ddof=1) + self.noise)
        return SymmetricPrediction(draws.mean(axis=0), HalfNormal(sigma))


class MCDropout(Gaussian):
    """Monte Carlo dropout [1]_: 50 passes through a network with units dropped at random.

    References
    ----------
    .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation: representing model
       uncertainty in deep learning", ICML (2016). doi:10.48550/arXiv.1506.02142
    """

    _DROPOUT, _N_DRAWS = 0.1, 50

    def _train(self, X: Floats, y: Floats) -> None:
        self.network = self._network(dropout=self._DROPOUT).fit(X, y)

    def _draws(self, X: Floats) -> Floats:
        return self.network.predict_with_dropout(X, self._N_DRAWS)


class DeepEnsemble(Gaussian):
    """Five networks from different random weights [1]_.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS (2017).
       doi:10.48550/arXiv.1612.01474
    """

    _N_MEMBERS = 5

    def _train(self, X: Floats, y: Floats) -> None:
        self.networks = [self._network(member=m).fit(X, y) for m in range(self._N_MEMBERS)]

    def _draws(self, X: Floats) -> Floats:
        return np.stack([network.predict(X) for network in self.networks])


class QuantileRegression(Method):
    """Gradient-boosted trees, one model a quantile [1]_; no network.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 33-50 (1978).
       doi:10.2307/1913643
    """

    _LEVELS = np.array([0.025, 0.05, 0.15, 0.25, 0.5, 0.75, 0.85, 0.95, 0.975])

    def fit(self, X: Floats, y: Floats) -> Self:
        """Train nine models, with scikit-learn's defaults."""
        self.models = [
            HistGradientBoostingRegressor(
                loss="quantile", quantile=level, random_state=self.seed
            ).fit(X, y)
            for level in self._LEVELS
        ]
        return self

    def predict(self, X: Floats) -> QuantilePrediction:
        """Predict the median and the other quantiles."""
        quantiles = np.stack([model.predict(X) for model in self.models], axis=1)
        return QuantilePrediction(quantiles, self._LEVELS)


class SplitConformal(Method):
    """One network, with conformal bounds of its error by MAPIE [1]_, the same for every sample.

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", J. Am. Stat. Assoc. 113, 1094-1111 (2018).
       doi:10.1080/01621459.2017.1307116
    """

    _LEVELS = np.linspace(0.02, 0.98, 49)

    def fit(self, X: Floats, y: Floats) -> Self:
        """Train on four fifths; take the bounds from the last fifth."""
        train, held_out = self._hold_out(len(y))
        self.network = self._network().fit(X[train], y[train])
        conformal = SplitConformalRegressor(self.network, list(self._LEVELS), prefit=True)
        conformal.conformalize(X[held_out], y[held_out])
        _, intervals = conformal.predict_interval(X[:1])
        bounds = (intervals[0, 1] - intervals[0, 0]) / 2
        # Beyond the last level nothing is known: let the last 2 % reach twice as far.
        self.quantiles = np.concatenate([[0.0], bounds, [2 * bounds[-1]]])
        return self

    def predict(self, X: Floats) -> SymmetricPrediction:
        """Predict with the same bounds for all."""
        return SymmetricPrediction(
            self.network.predict(X), constant_distribution(self.quantiles, len(X))
        )


class Constant(Method):
    """One network, and the quantiles of its errors on the rows that it was trained on."""

    def fit(self, X: Floats, y: Floats) -> Self:
        """Train, then look at the errors of the finished network."""
        self.network = self._network().fit(X, y)
        errors = np.abs(y - self.network.predict(X))
        self.quantiles = np.quantile(errors, np.linspace(0, 1, 51))
        self.quantiles[0] = 0.0
        return self

    def predict(self, X: Floats) -> SymmetricPrediction:
        """Predict with the same error for all."""
        return SymmetricPrediction(
            self.network.predict(X), constant_distribution(self.quantiles, len(X))
        )


REFERENCE = "Constant"  # one network and one forward pass: the unit of cost

METHODS: dict[str, type[Method]] = {
    "LTAU": LTAU,
    "LTAU, held-out": LTAUHeldOut,
    "LTAU, out-of-fold": LTAUOutOfFold,
    "MC dropout": MCDropout,
    "Deep ensemble": DeepEnsemble,
    "Quantile regression": QuantileRegression,
    "Split conformal": SplitConformal,
    REFERENCE: Constant,
}
