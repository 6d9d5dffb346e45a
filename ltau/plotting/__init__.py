"""Plots of predicted errors, in the manner of scikit-learn's displays, and of structures.

Displays need matplotlib (``pip install ltau[plot]``), which the first plot imports; structures
need ASE (``pip install ltau[ase]``), and in a notebook chemiscope (``pip install
ltau[chemiscope]``).
"""

from ltau.plotting._axes import OKABE_ITO
from ltau.plotting._calibration import ErrorCalibrationDisplay
from ltau.plotting._density import ErrorDensityDisplay
from ltau.plotting._intervals import PredictionIntervalDisplay
from ltau.plotting._ood_score import OODScoreDisplay
from ltau.plotting._predicted_error import PredictedErrorDisplay
from ltau.plotting._risk_coverage import RiskCoverageDisplay
from ltau.plotting._structures.page import write_report
from ltau.plotting._structures.show import show_structures

__all__ = [
    "OKABE_ITO",
    "ErrorCalibrationDisplay",
    "ErrorDensityDisplay",
    "OODScoreDisplay",
    "PredictedErrorDisplay",
    "PredictionIntervalDisplay",
    "RiskCoverageDisplay",
    "show_structures",
    "write_report",
]
