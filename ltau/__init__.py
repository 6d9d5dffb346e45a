"""Per-sample error bars for any regression model, from the errors it made while training."""

from ltau.binning import ErrorBins
from ltau.calibration import Calibration
from ltau.distribution import ErrorDistribution
from ltau.estimator import LTAUEstimator
from ltau.histogram import ErrorHistogram
from ltau.io import LTAUFileError
from ltau.prediction import ErrorSummary

__version__ = "0.1.0.dev0"

__all__ = [
    "Calibration",
    "ErrorBins",
    "ErrorDistribution",
    "ErrorHistogram",
    "ErrorSummary",
    "LTAUEstimator",
    "LTAUFileError",
]
