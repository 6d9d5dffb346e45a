"""Rows of what a user passes: frames, arrays, lists, sparse matrices, and arguments of fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing

from ltau._inputs.missing import fill_masked

__all__ = ["as_rows", "take", "take_params"]

Rows = NDArray[np.intp]


def as_rows(X: Any) -> Any:
    """Keep frames, series and lists as they came; make an array of anything else that is dense."""
    if issparse(X):
        return X.tocsr()
    if isinstance(X, list) or hasattr(X, "iloc") or hasattr(X, "columns"):
        return X
    return np.asarray(fill_masked(X))


def take(X: Any, rows: Rows) -> Any:
    """Take some rows, as an object of the kind that came."""
    return _safe_indexing(X, rows)


def take_params(params: Mapping[str, Any], rows: Rows, n_samples: int) -> dict[str, Any]:
    """Take the rows of those arguments of ``fit`` that have one for each sample."""
    return {
        name: take(as_rows(value), rows) if _is_by_row(name, value, n_samples) else value
        for name, value in params.items()
    }


def _is_by_row(name: str, value: Any, n_samples: int) -> bool:
    """Whether an argument has a row for each sample: what is for validation never does."""
    if name.rpartition("__")[2].startswith("eval_"):
        return False
    is_sequence = isinstance(value, list) or bool(getattr(value, "shape", ()))
    return is_sequence and (value.shape[0] if hasattr(value, "shape") else len(value)) == n_samples
