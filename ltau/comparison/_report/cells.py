"""How numbers are shown in tables and sentences."""

from __future__ import annotations

import math

from ltau.metrics import Estimate

__all__ = ["cost_cell", "score_cell"]


def score_cell(estimate: Estimate) -> str:
    """Print a score; a dash where it is not defined."""
    if math.isnan(estimate):
        return "-"
    if math.isnan(estimate.low):
        return f"{float(estimate):#.3g}"
    half = (estimate.high - estimate.low) / 2
    digits = max(0, 1 - math.floor(math.log10(half))) if half > 0 else 2
    return f"{float(estimate):,.{digits}f} ± {half:,.{digits}f}"


def cost_cell(cost: float) -> str:
    """Print a cost."""
    return f"{cost:.1f}"
