"""Settings of an estimator that suit force fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["FORCE_FIELD"]

FORCE_FIELD: Mapping[str, Any] = {
    "n_neighbors": 30,
    "weights": "uniform",  # as good as by distance, and better with prototypes
    "distance_scaling": 3.5,
}
