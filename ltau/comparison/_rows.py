"""Rows that a method learns from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Rows"]

Floats = NDArray[np.float64]


class Rows(NamedTuple):
    """Training rows of a table.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Features, with categories one-hot encoded.
    y : ndarray of shape (n_samples,), float64
        Target.
    groups : ndarray of shape (n_samples,), optional
        Group of each row, integers or strings, where rows are not independent.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.comparison import Rows
    >>> rows = Rows(np.eye(3), np.array([1.0, 2.0, 3.0]))
    >>> rows.take(np.array([0, 2])).y
    array([1., 3.])
    """

    X: Floats
    y: Floats
    groups: NDArray[Any] | None = None

    def __repr__(self) -> str:
        n_samples, n_features = np.shape(self.X)
        n_groups = "" if self.groups is None else f", n_groups={len(np.unique(self.groups))}"
        return f"Rows(n_samples={n_samples}, n_features={n_features}{n_groups})"

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """Take some of the rows.

        Parameters
        ----------
        rows : ndarray of shape (n,), int
            Their numbers.

        Returns
        -------
        Rows
            These rows, in this order.
        """
        groups = None if self.groups is None else self.groups[rows]
        return Rows(self.X[rows], self.y[rows], groups)
