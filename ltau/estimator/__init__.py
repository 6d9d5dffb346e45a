"""The estimator that users fit: its parameters and its methods."""

from ltau.estimator._estimator import LTAUEstimator
from ltau.estimator._predictions import Predictions as Predictions

__all__ = ["LTAUEstimator"]
