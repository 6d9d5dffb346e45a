"""How good a prediction of errors is: proper scores, calibration, coverage, ranking.

Every metric that returns one number returns a float. Told which `groups` the
samples come from, it returns an `Estimate`: the same float, with an interval.
"""

from ltau.metrics._bootstrap import Estimate, UndefinedMetricError, bootstrap_estimate
from ltau.metrics._calibration import (
    calibration_curve,
    miscalibration_area,
    pit,
    sharpness,
)
from ltau.metrics._coverage import coverage, coverage_by_group
from ltau.metrics._ence import expected_normalized_calibration_error
from ltau.metrics._protocol import PredictiveDistribution
from ltau.metrics._ranking import auprc, auroc, base_rate, spearman
from ltau.metrics._report import MetricReport, report
from ltau.metrics._risk_coverage import risk_coverage_area, risk_coverage_curve
from ltau.metrics._scoring import crps, log_score, pinball_loss

__all__ = [
    "Estimate",
    "MetricReport",
    "PredictiveDistribution",
    "UndefinedMetricError",
    "auprc",
    "auroc",
    "base_rate",
    "bootstrap_estimate",
    "calibration_curve",
    "coverage",
    "coverage_by_group",
    "crps",
    "expected_normalized_calibration_error",
    "log_score",
    "miscalibration_area",
    "pinball_loss",
    "pit",
    "report",
    "risk_coverage_area",
    "risk_coverage_curve",
    "sharpness",
    "spearman",
]
