"""Who answers: each gives the prediction of some rows, and how uncertain it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.neighbors import KNeighborsRegressor

from benchmarks.speed.peers.samples import Given, Table
from ltau import LTAUEstimator

__all__ = ["ALONE", "PEERS", "Call", "Peer"]

K = 10
LEVEL = 0.9

Call = Callable[[Table], object]


class Peer(NamedTuple):
    """One that answers: what it gives beside the prediction, and how to make it."""

    gives: str
    make: Callable[[Given], Call]


def _alone(given: Given) -> Call:
    return given.network.predict


def _all_samples(given: Given) -> Call:
    return _ltau(given, LTAUEstimator(K, n_jobs=1, random_state=0))


def _prototypes(given: Given) -> Call:
    return _ltau(given, LTAUEstimator(3, n_prototypes=200, n_jobs=1, random_state=0))


def _ltau(given: Given, estimator: LTAUEstimator) -> Call:
    estimator.fit(given.X, given.errors)
    return lambda X: (given.network.predict(X), estimator.predict_summary(X, LEVEL))


def _neighbors(given: Given) -> Call:
    regressor = KNeighborsRegressor(K).fit(given.X, given.errors.mean(axis=1))
    return lambda X: (given.network.predict(X), regressor.predict(X))


def _crepes(given: Given) -> Call:
    """Normalize by the residuals of the nearest samples, as crepes's documents do."""
    from crepes import WrapRegressor
    from crepes.extras import DifficultyEstimator

    residuals = given.y - given.network.predict(given.X)
    difficulty = DifficultyEstimator().fit(given.X, residuals=residuals, k=K)
    regressor = WrapRegressor(given.network)
    regressor.calibrate(*given.held_out, de=difficulty)
    return lambda X: regressor.predict_int(X, confidence=LEVEL)  # around the prediction


def _mapie(given: Given) -> Call:
    from mapie.regression import SplitConformalRegressor

    regressor = SplitConformalRegressor(given.network, LEVEL, prefit=True)
    regressor.conformalize(*given.held_out)
    return regressor.predict_interval


def _ensemble(n_members: int) -> Callable[[Given], Call]:
    def make(given: Given) -> Call:
        def answer(X: Table) -> object:
            drawn = np.stack([network.predict(X) for network in given.members[:n_members]])
            return drawn.mean(axis=0), drawn.std(axis=0)

        return answer

    return make


ALONE = "the network alone"

PEERS = {
    ALONE: Peer("nothing", _alone),
    "ltau": Peer("expected error, error bar, ood_score of each row", _all_samples),
    "ltau, 200 prototypes": Peer("the same", _prototypes),
    "scikit-learn, KNeighborsRegressor": Peer("expected error of each row", _neighbors),
    "crepes, nearest neighbours": Peer("interval of each row, at one level", _crepes),
    "MAPIE, split conformal": Peer("interval, as wide for all rows, at one level", _mapie),
    "ensemble of 4": Peer("spread of each row, not calibrated", _ensemble(4)),
    "ensemble of 10": Peer("spread of each row, not calibrated", _ensemble(10)),
}
