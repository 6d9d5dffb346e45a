"""Per-sample error bars for any regression model, from the errors it made while training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltau._errors.bins import ErrorBins
    from ltau._errors.histogram import ErrorHistogram
    from ltau._files.archive import LTAUFileError
    from ltau._fitted.calibration import Calibration
    from ltau._fitted.summary import ErrorSummary
    from ltau.comparison import compare
    from ltau.distribution import ErrorDistribution
    from ltau.estimator import LTAUEstimator
    from ltau.log import ErrorLog, merge_logs

__version__ = "0.1.0"

__all__ = [
    "Calibration",
    "ErrorBins",
    "ErrorDistribution",
    "ErrorHistogram",
    "ErrorLog",
    "ErrorSummary",
    "LTAUEstimator",
    "LTAUFileError",
    "compare",
    "merge_logs",
]

# What is imported when it is first asked for, so that the command line answers at once.
_HOMES = {
    "Calibration": "ltau._fitted.calibration",
    "ErrorBins": "ltau._errors.bins",
    "ErrorDistribution": "ltau.distribution",
    "ErrorHistogram": "ltau._errors.histogram",
    "ErrorLog": "ltau.log",
    "ErrorSummary": "ltau._fitted.summary",
    "LTAUEstimator": "ltau.estimator",
    "LTAUFileError": "ltau._files.archive",
    "compare": "ltau.comparison",
    "merge_logs": "ltau.log",
}
_MODULES = ("comparison", "distribution", "estimator", "log", "metrics", "neighbors", "plotting")


def __getattr__(name: str) -> Any:
    """Import a public name, or a module of it, when it is first asked for."""
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = import_module(f"ltau.{name}")
    else:
        raise AttributeError(f"module 'ltau' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
