"""Settings of an estimator that suit force fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["FORCE_FIELD"]

FORCE_FIELD: Mapping[str, Any] = {"n_neighbors": 30, "distance_scaling": 3.5}
