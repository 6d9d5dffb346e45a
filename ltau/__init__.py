"""Per-sample error bars for any regression model, from the errors it made while training."""

from ltau._errors.bins import ErrorBins
from ltau._errors.histogram import ErrorHistogram
from ltau._files.archive import LTAUFileError
from ltau._fitted.calibration import Calibration
from ltau._fitted.summary import ErrorSummary
from ltau.distribution import ErrorDistribution
from ltau.estimator import LTAUEstimator
from ltau.log import ErrorLog, merge_logs

__version__ = "0.1.0.dev0"

__all__ = [
    "Calibration",
    "ErrorBins",
    "ErrorDistribution",
    "ErrorHistogram",
    "ErrorLog",
    "ErrorSummary",
    "LTAUEstimator",
    "LTAUFileError",
    "merge_logs",
]
