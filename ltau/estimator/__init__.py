"""The estimator that users fit: its parameters and its methods."""

from ltau.estimator._estimator import LTAUEstimator

__all__ = ["LTAUEstimator"]
