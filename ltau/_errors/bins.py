"""Bins of error, found from the data or given.

Every value is binned through its bit pattern: its leading bits (its *cell*, see
`ltau._errors.range`) look up its bin in a table, and one comparison settles the
cells that an edge cuts through. The result is exact for any edges, and takes a
few nanoseconds a value; NaN and values that have no bin fall in columns of
their own, so nothing is dropped unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._errors.range import (
    CELL_SHIFT,
    NEGATIVE_CELLS,
    ErrorRange,
    as_float32,
    cell_starts,
    check_magnitudes,
)
from ltau._inputs.numbers import as_real

__all__ = ["ErrorBins"]


class _Table(NamedTuple):
    """What binning looks up."""

    column_of_cell: NDArray[np.int32]  # column of the smallest magnitude in each cell
    edge_of_cell: NDArray[np.float32]  # the edge after that column
    next_edge: NDArray[np.float32]  # the edge after each column
    n_cuts: int  # most edges in a cell


class ErrorBins:
    """Bins over error, from 0 to the largest error.

    Parameters
    ----------
    edges : array-like of shape (n_bins + 1,)
        Strictly increasing, finite and non-negative, in the unit of the errors.
        The first bin reaches down to 0: a first edge above 0 is lowered to it.
        The last bin holds its upper edge. Edges are rounded to float32, in which
        errors are compared with them.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,), float64
        The edges, from 0 to the largest error that has a bin.

    Raises
    ------
    ValueError
        If the edges are not as described.

    Examples
    --------
    >>> from ltau import ErrorBins
    >>> bins = ErrorBins([0.0, 0.1, 1.0, 10.0])
    >>> bins.index([0.05, 0.1, 3.0, 10.0])
    array([0, 1, 2, 2])
    """

    def __init__(self, edges: ArrayLike) -> None:
        edges = as_real(edges, "bin edges").astype(np.float64)
        if edges.ndim != 1 or len(edges) < 2:
            raise ValueError(
                f"Expected a 1-D array of at least 2 bin edges, got shape {edges.shape}."
            )
        if not np.isfinite(edges).all() or edges[0] < 0:
            raise ValueError("Bin edges must be finite and non-negative.")
        with np.errstate(over="ignore"):
            rounded = edges.astype(np.float32).astype(np.float64)
        if not (np.diff(rounded) > 0).all() or np.isinf(rounded[-1]):
            raise ValueError(
                "Bin edges must be strictly increasing in float32; use fewer bins or edges "
                f"further apart (got {len(edges)} edges from {edges[0]:g} to {edges[-1]:g})."
            )
        rounded[0] = 0.0
        rounded.flags.writeable = False  # counts, densities and tables depend on them
        self.edges = rounded

    @classmethod
    def log(cls, low: float, high: float, n_bins: int = 100) -> Self:
        """Make one bin from 0 to `low` and log-spaced bins from there to `high`.

        Parameters
        ----------
        low, high : float
            Upper edges of the first and of the last bin, ``0 < low < high``.
        n_bins : int, default=100
            Number of bins, at least 2.

        Returns
        -------
        ErrorBins
            The bins.

        Raises
        ------
        ValueError
            If `low` and `high` are not increasing and positive, or `n_bins` < 2.

        Examples
        --------
        >>> from ltau import ErrorBins
        >>> ErrorBins.log(0.01, 10.0, n_bins=4).edges.round(3)
        array([ 0.  ,  0.01,  0.1 ,  1.  , 10.  ])
        """
        if not 0 < low < high < np.inf:
            raise ValueError(f"Expected finite 0 < low < high, got low={low!r}, high={high!r}.")
        if n_bins < 2:
            raise ValueError(f"Log-spaced bins need n_bins >= 2, got {n_bins!r}.")
        return cls(np.concatenate([[0.0], np.geomspace(low, high, n_bins)]))

    @classmethod
    def linear(cls, high: float, n_bins: int = 100) -> Self:
        """Make bins of one width from 0 to `high`.

        Parameters
        ----------
        high : float
            Upper edge of the last bin, positive.
        n_bins : int, default=100
            Number of bins, at least 1.

        Returns
        -------
        ErrorBins
            The bins.

        Raises
        ------
        ValueError
            If `high` is not positive or `n_bins` < 1.

        Examples
        --------
        >>> from ltau import ErrorBins
        >>> ErrorBins.linear(2.0, n_bins=4).edges
        array([0. , 0.5, 1. , 1.5, 2. ])
        """
        if n_bins < 1:
            raise ValueError(f"Expected n_bins >= 1, got {n_bins!r}.")
        if not 0 < high < np.inf:
            raise ValueError(f"Expected a positive, finite high, got {high!r}.")
        return cls(np.linspace(0.0, high, n_bins + 1))

    @classmethod
    def from_errors(cls, errors: ArrayLike, n_bins: int = 100, spacing: str = "log") -> Self:
        """Find bins that hold all of `errors`.

        The last edge is the largest error. Log-spaced bins start at the 0.1 %
        quantile of the positive errors: one bin holds all that lies below.

        Parameters
        ----------
        errors : array-like of any shape
            Non-negative errors; NaN = not seen, and ignored.
        n_bins : int, default=100
            Number of bins.
        spacing : {"log", "linear"}, default="log"
            How the edges are spaced.

        Returns
        -------
        ErrorBins
            The bins. The order of the errors makes no difference.

        Raises
        ------
        ValueError
            If an error is negative or infinite, or all are NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import ErrorBins
        >>> bins = ErrorBins.from_errors(np.arange(1.0, 101.0), n_bins=10)
        >>> bins.edges[[0, 1, -1]]
        array([  0.,   1., 100.])
        """
        return cls.from_blocks([as_real(errors, "errors")], n_bins, spacing)

    @classmethod
    def from_blocks(
        cls, blocks: Iterable[NDArray[np.generic]], n_bins: int = 100, spacing: str = "log"
    ) -> Self:
        """Find bins that hold all errors of a set that is too large to hold at once.

        Parameters
        ----------
        blocks : iterable of ndarray of any shape
            The errors in parts, each as in `from_errors`. How they are divided, and in
            which order, makes no difference.
        n_bins, spacing
            As in `from_errors`.

        Returns
        -------
        ErrorBins
            The bins.

        Raises
        ------
        ValueError
            If an error is negative or infinite, or all are NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import ErrorBins
        >>> epochs = (np.full(1000, error) for error in (4.0, 2.0, 1.0))
        >>> ErrorBins.from_blocks(epochs, n_bins=2, spacing="linear").edges
        array([0., 2., 4.])
        """
        _check_spacing(spacing)
        errors = ErrorRange()
        for block in blocks:
            errors.update(block)
        return cls.from_range(errors, n_bins, spacing)

    @classmethod
    def from_range(cls, errors: ErrorRange, n_bins: int = 100, spacing: str = "log") -> Self:
        """Make bins for the range of the errors.

        Parameters
        ----------
        errors : ErrorRange
            The range of all errors.
        n_bins, spacing
            As in `from_errors`.

        Returns
        -------
        ErrorBins
            The bins: those of `from_errors` of the same errors.

        Raises
        ------
        ValueError
            If there are no errors.
        """
        _check_spacing(spacing)
        low, high = errors.limits()
        if spacing == "linear":
            return cls.linear(high, n_bins)
        return cls.log(low, high, n_bins)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def widths(self) -> NDArray[np.float64]:
        """Widths of the bins, shape (n_bins,), in the unit of the errors."""
        return np.diff(self.edges)

    def index(self, errors: ArrayLike) -> NDArray[np.intp]:
        """Find the bin of each error.

        Parameters
        ----------
        errors : array-like of any shape
            Errors from 0 to the last edge, no NaN; compared in float32.

        Returns
        -------
        ndarray of the shape of `errors`, intp
            ``edges[i] <= error < edges[i + 1]``; the last bin holds its upper edge.

        Raises
        ------
        ValueError
            If an error is NaN, negative, infinite or above the last edge.

        Examples
        --------
        >>> from ltau import ErrorBins
        >>> ErrorBins([0.0, 1.0, 2.0]).index([0.0, 1.0, 2.0])
        array([0, 1, 1])
        """
        values = as_float32(errors)
        columns = self.columns(values)
        if np.isnan(values).any():
            raise ValueError("Expected errors without NaN.")
        self.check(values)
        return columns.astype(np.intp)

    def check(self, values: NDArray[np.float32]) -> None:
        """Refuse errors that have no bin; NaN may pass.

        Parameters
        ----------
        values : ndarray of any shape, float32
            The errors.

        Raises
        ------
        ValueError
            If an error is negative, infinite or above the last edge.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import ErrorBins
        >>> ErrorBins([0.0, 1.0, 2.0]).check(np.array([0.5, np.nan, 2.0], np.float32))
        """
        low = np.fmin.reduce(values, axis=None, initial=0.0)
        if low < 0 or np.fmax.reduce(values, axis=None, initial=0.0) > self.edges[-1]:
            check_magnitudes(values)
            raise ValueError(
                f"Errors reach {np.nanmax(values):g}, above the last bin edge "
                f"{self.edges[-1]:g}: give bins that hold the largest error."
            )

    def columns(self, values: NDArray[np.float32]) -> NDArray[np.int32]:
        """Find the column of each value: its bin, or another of those for what has none.

        Parameters
        ----------
        values : ndarray of any shape, float32
            The errors.

        Returns
        -------
        ndarray of the shape of `values`, int32
            The bin as `index` gives it, or `n_bins` for an error that has no bin, or
            ``n_bins + 1`` for NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import ErrorBins
        >>> ErrorBins([0.0, 1.0, 2.0]).columns(np.array([0.5, 9.0, np.nan], np.float32))
        array([0, 2, 3], dtype=int32)
        """
        table = self._table
        with np.errstate(invalid="ignore"):
            values = values + np.float32(0)  # -0.0 and signalling NaN become what they mean
        cells = (values.view(np.int32) >> np.int32(CELL_SHIFT)).astype(np.intp)
        # Cells with the sign bit count from the end; "wrap" takes them so, and checks no bounds.
        columns = table.column_of_cell.take(cells, mode="wrap")
        columns += values >= table.edge_of_cell.take(cells, mode="wrap")
        for _ in range(table.n_cuts - 1):  # where bins are narrower than cells
            columns += values >= table.next_edge.take(columns, mode="wrap")
        return columns

    @cached_property
    def _table(self) -> _Table:
        edges = self.edges.astype(np.float32)
        # The last bin holds its upper edge; no edge leads out of the last two columns.
        with np.errstate(over="ignore"):  # the last edge may be the largest float32
            over = np.nextafter(edges[-1], np.float32(np.inf))
        next_edge = np.concatenate([edges[1:-1], [over, np.nan, np.nan]], dtype=np.float32)
        first_value = cell_starts()
        column = np.searchsorted(np.append(edges[1:-1], over), first_value, side="right")
        column[NEGATIVE_CELLS:] = self.n_bins
        column[np.isnan(first_value)] = self.n_bins + 1
        inside = column[:NEGATIVE_CELLS]
        n_cuts = int(np.diff(inside[inside <= self.n_bins]).max())
        return _Table(column.astype(np.int32), next_edge[column], next_edge, n_cuts)

    def __len__(self) -> int:
        return self.n_bins

    def __repr__(self) -> str:
        return f"ErrorBins(n_bins={self.n_bins}, from 0 to {self.edges[-1]:g})"


def _check_spacing(spacing: str) -> None:
    if spacing not in ("log", "linear"):
        raise ValueError(f"Expected spacing 'log' or 'linear', got {spacing!r}.")
