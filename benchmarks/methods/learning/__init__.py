"""Methods that train networks of their own: each on the same rows, in its own way.

What a method spends on held-out rows, further networks or further passes is its own affair, and
shows in its accuracy and in its cost. Settings were fixed beforehand, not tuned on the test rows.
"""

from __future__ import annotations

from benchmarks.methods.learning.constant import Constant
from benchmarks.methods.learning.deep_ensemble import DeepEnsemble
from benchmarks.methods.learning.learner import Learner
from benchmarks.methods.learning.ltau import LTAU
from benchmarks.methods.learning.ltau_held_out import LTAUHeldOut
from benchmarks.methods.learning.ltau_out_of_fold import LTAUOutOfFold
from benchmarks.methods.learning.mc_dropout import MCDropout
from benchmarks.methods.learning.quantile_regression import QuantileRegression
from benchmarks.methods.learning.split_conformal import SplitConformal

__all__ = ["METHODS", "REFERENCE", "Learner"]

REFERENCE = "Constant"  # one network and one forward pass: the unit of cost

METHODS: dict[str, type[Learner]] = {
    "LTAU": LTAU,
    "LTAU, held-out": LTAUHeldOut,
    "LTAU, out-of-fold": LTAUOutOfFold,
    "MC dropout": MCDropout,
    "Deep ensemble": DeepEnsemble,
    "Quantile regression": QuantileRegression,
    "Split conformal": SplitConformal,
    REFERENCE: Constant,
}
