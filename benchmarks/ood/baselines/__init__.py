"""The methods that are compared: each sees the same samples and foretells their errors."""

from __future__ import annotations

from benchmarks.ood.baselines.base import LEVELS, Baseline, Prediction
from benchmarks.ood.baselines.constant import ClassMean, Constant
from benchmarks.ood.baselines.distance import Distance
from benchmarks.ood.baselines.ltau import DISTANCE_AWARE, LTAU, PAPER
from benchmarks.ood.baselines.mahalanobis import Mahalanobis
from benchmarks.ood.baselines.mixture import Mixture
from benchmarks.ood.baselines.regressor import Regressor
from benchmarks.ood.baselines.rigidity import Rigidity
from benchmarks.ood.baselines.spread import Spread
from benchmarks.ood.domains import Domain

__all__ = ["LEVELS", "Baseline", "Prediction", "methods"]


def methods(domain: Domain) -> dict[str, Baseline]:
    """Make the methods that a domain allows, by their names.

    Parameters
    ----------
    domain : Domain
        Its classes and spreads decide.

    Returns
    -------
    dict of str to Baseline
        The methods, not fitted.
    """
    aware = DISTANCE_AWARE
    by_class = {} if domain.train.classes is None else {"Class mean": ClassMean()}
    return {
        "LTAU, paper": LTAU(PAPER, strata=False),
        "LTAU, distance-aware": LTAU(aware, strata=True),
        "LTAU, distance-aware, steps": LTAU(aware, strata=True, errors="step"),
        "LTAU, calibrated": LTAU(aware, strata=True, calibration={}),
        "LTAU, calibrated, exponent 1": LTAU(aware, strata=True, calibration={"exponent": 1.0}),
        **{name: Spread(name) for name in domain.train.spreads},
        "Distance": Distance(aware),
        "Mahalanobis": Mahalanobis(),
        "Mixture": Mixture(),
        "Rigidity": Rigidity(),
        "Regressor": Regressor(),
        **by_class,
        "Constant": Constant(),
    }
