"""What is predicted for each sample, in three numbers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ErrorSummary"]

Floats = NDArray[np.float64]

_MOST_ROWS, _MOST_CHARACTERS = 6, 16  # that are printed, of a label


class _Columns(NamedTuple):
    """The three numbers of each sample."""

    expected_error: Floats
    error_bar: Floats
    ood_score: Floats


class ErrorSummary(_Columns):
    """What is predicted for each sample, in three numbers: a tuple of three columns.

    Parameters
    ----------
    expected_error : ndarray of shape (n_samples,)
        Expected errors, in the unit of the error.
    error_bar : ndarray of shape (n_samples,)
        Errors that are not exceeded with the probability asked for.
    ood_score : ndarray of shape (n_samples,)
        Distances from the training domain, about 1 inside.

    Attributes
    ----------
    frame_index : Index or None
        Labels of the rows, where what was predicted was a frame of pandas; `to_frame` has them.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau import LTAUEstimator
    >>> rng = np.random.default_rng(0)
    >>> estimator = LTAUEstimator().fit(rng.normal(size=(200, 2)), rng.random((200, 50)))
    >>> summary = estimator.predict_summary([[0.0, 0.0], [9.0, 9.0]], level=0.9)
    >>> summary
    ErrorSummary of 2 samples
        expected_error       error_bar       ood_score
                 0.585               1            1.04
                  1.95            3.43            17.6
    >>> summary.ood_score > 2
    array([False,  True])
    """

    frame_index: Any = None

    def with_index_of(self, X: Any) -> Self:
        """Give the same predictions with the index of what was predicted, if it has one.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            What was predicted.

        Returns
        -------
        ErrorSummary
            The predictions, with the index of a frame of pandas as `frame_index`.
        """
        if not hasattr(X, "iloc"):  # lists have an index of another kind
            return self
        labelled = type(self)(*self)
        labelled.frame_index = X.index
        return labelled

    def to_frame(self, index: Any = None) -> pd.DataFrame:
        """Give the predictions as a data frame.

        Parameters
        ----------
        index : Index or array-like of shape (n_samples,), optional
            Labels of the rows; by default those of the frame that was predicted, and of an
            array the numbers from 0.

        Returns
        -------
        pandas.DataFrame
            One row per sample, with the columns ``expected_error``, ``error_bar`` and
            ``ood_score``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError
            If the index has another length.

        Examples
        --------
        >>> import numpy as np
        >>> from ltau import ErrorSummary
        >>> summary = ErrorSummary(np.array([0.1]), np.array([0.3]), np.array([1.2]))
        >>> summary.to_frame(index=["ethanol"])
                 expected_error  error_bar  ood_score
        ethanol             0.1        0.3        1.2
        """
        import pandas as pd

        labels = self.frame_index if index is None else index
        return pd.DataFrame(self._asdict(), index=labels)

    def __repr__(self) -> str:
        n_samples = len(self.expected_error)
        lines = ["".join(f"{text:>16}" for text in row).rstrip() for row in self._cells()]
        more = ["..."] if n_samples > _MOST_ROWS else []
        return "\n".join(
            [f"ErrorSummary of {n_samples:,} samples", *(f"  {line}" for line in lines), *more]
        )

    def _repr_html_(self) -> str:
        n_samples = len(self.expected_error)
        head, *rows = self._cells()
        table = "".join([_row("th", head), *(_row("td", row) for row in rows)])
        more = f"the first {_MOST_ROWS} of " if n_samples > _MOST_ROWS else ""
        return f"<table>{table}</table><p>{more}{n_samples:,} samples</p>"

    def _cells(self) -> list[list[str]]:
        """Text of the header, and of the first samples where they are in memory."""
        rows = [list(self._fields)]
        some: Any = self.expected_error
        if isinstance(some, np.ndarray):  # and not of Dask
            first = np.stack([column[:_MOST_ROWS] for column in self], axis=1)
            rows += [[f"{value:.3g}" for value in row] for row in first]
        if self.frame_index is None:
            return rows
        labels = ["", *(_short(label) for label in self.frame_index[:_MOST_ROWS])]
        return [[label, *row] for label, row in zip(labels, rows, strict=False)]


def _row(tag: str, cells: list[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _short(label: object) -> str:
    text = str(label)
    return text if len(text) < _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 2]}…"
