"""Methods that put error bars on a regression, compared on a table of yours.

`ltau.compare` compares them; a method of yours is a subclass of `Learner`.
"""

from ltau.comparison._compare import compare
from ltau.comparison._comparison import Comparison
from ltau.comparison._learner import Learner
from ltau.comparison._predictions import GaussianPrediction, QuantilePrediction, SymmetricPrediction
from ltau.comparison._rows import Rows

__all__ = [
    "Comparison",
    "GaussianPrediction",
    "Learner",
    "QuantilePrediction",
    "Rows",
    "SymmetricPrediction",
    "compare",
]
