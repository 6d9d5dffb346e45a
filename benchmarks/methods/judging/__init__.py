"""Methods that judge a trained model: each sees the same samples and foretells their errors."""

from __future__ import annotations

from benchmarks.methods.domains import Domain
from benchmarks.methods.judging.class_mean import ClassMean
from benchmarks.methods.judging.constant import Constant
from benchmarks.methods.judging.distance import Distance
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.judging.ltau import DISTANCE_AWARE, LTAU, PAPER
from benchmarks.methods.judging.mahalanobis import Mahalanobis
from benchmarks.methods.judging.mixture import Mixture
from benchmarks.methods.judging.regressor import Regressor
from benchmarks.methods.judging.rigidity import Rigidity
from benchmarks.methods.judging.spread import Spread

__all__ = ["Judge", "methods"]


def methods(domain: Domain) -> dict[str, Judge]:
    """Make the methods that a domain allows, by their names.

    Parameters
    ----------
    domain : Domain
        Its classes and spreads decide.

    Returns
    -------
    dict of str to Judge
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
