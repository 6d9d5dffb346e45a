"""Methods that judge a trained model: each sees the same samples and predicts their errors."""

from __future__ import annotations

from benchmarks.methods.domains import Domain
from benchmarks.methods.judging.class_mean import ClassMean
from benchmarks.methods.judging.constant import Constant
from benchmarks.methods.judging.distance import Distance
from benchmarks.methods.judging.error_bins import ErrorBinClassifier
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.judging.ltau import LTAU, PAPER
from benchmarks.methods.judging.ltau_structures import LTAUStructures
from benchmarks.methods.judging.mahalanobis import Mahalanobis
from benchmarks.methods.judging.mixture import Mixture
from benchmarks.methods.judging.quantile_boosting import QuantileBoosting
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
    by_class = {} if domain.train.classes is None else {"Class mean": ClassMean()}
    ltau = _of_rows() if domain.train.frames is None else _of_structures()
    return {
        "LTAU, paper": LTAU(PAPER, targets=False),
        **ltau,
        **{name: Spread(name) for name in domain.train.spreads},
        "Distance": Distance(),
        "Mahalanobis": Mahalanobis(),
        "Mixture": Mixture(),
        "Rigidity": Rigidity(),
        "Regressor": Regressor(),
        "Quantile boosting": QuantileBoosting(),
        "Quantile boosting, held-out": QuantileBoosting(held_out=True),
        "Error bins": ErrorBinClassifier(),
        "Error bins, held-out": ErrorBinClassifier(held_out=True),
        **by_class,
        "Constant": Constant(),
    }


def _of_rows() -> dict[str, Judge]:
    return {
        "LTAU": LTAU({}),
        "LTAU, steps": LTAU({}, errors="step"),
        "LTAU, calibrated": LTAU({}, calibrated=True),
        "LTAU, calibrated, without targets": LTAU({}, targets=False, calibrated=True),
    }


def _of_structures() -> dict[str, Judge]:
    return {
        "LTAU": LTAUStructures(),
        "LTAU, steps": LTAUStructures(errors="step"),
        "LTAU, calibrated": LTAUStructures(calibrated=True),
        "LTAU, calibrated, own latents": LTAUStructures(calibrated=True, environment=None),
    }
