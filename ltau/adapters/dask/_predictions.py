"""What an estimator predicts, as Dask arrays that are computed when they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ltau._fitted.summary import ErrorSummary
from ltau._inputs.labels import check_strata_given
from ltau._inputs.outputs import check_predictions_given
from ltau.adapters.dask._checks import check_latents, check_outputs, check_rows

__all__ = ["LazyPredictions", "Output", "empty"]

Rows = dict[str, da.Array]  # arguments with a value or a row of them for each sample


class Output(NamedTuple):
    """An array that a prediction gives, with a row for each sample."""

    width: int | None = None  # of a row; None for a single value
    dtype: DTypeLike = np.float64


class LazyPredictions(ABC):
    """The predictions of an `LTAUEstimator` on latents in a Dask array.

    Each gives Dask arrays of known shape and dtype, with a block for each block of
    latents. What is wrong with values is raised when the block is computed.
    """

    @abstractmethod
    def _predict(
        self, method: str, X: da.Array, rows: Rows, settings: dict[str, Any], outputs: list[Output]
    ) -> tuple[da.Array, ...]:
        """Call a method of the estimator on each block.

        Parameters
        ----------
        method : str
            Its name.
        X : dask.array.Array of shape (n_samples, n_features)
            Latents in blocks of whole rows.
        rows : dict of str to dask.array.Array of shape (n_samples,) or (n_samples, n_outputs)
            Arguments with a value or a row of them for each sample, in the same blocks.
        settings : dict
            Other arguments.
        outputs : list of Output
            What the method gives.
        """

    @property
    @abstractmethod
    def bin_edges_(self) -> NDArray[np.float64]:
        """Edges of the bins, shape (n_bins + 1,), in the unit of the error."""

    @property
    @abstractmethod
    def strata_(self) -> NDArray[np.generic] | None:
        """The strata seen at fit, or None."""

    @property
    @abstractmethod
    def n_features_in_(self) -> int:
        """Number of latent features."""

    @property
    @abstractmethod
    def _n_neighbors(self) -> int: ...

    @property
    @abstractmethod
    def _n_outputs(self) -> int | None:
        """Number of outputs of the targets seen at fit; None where there were none."""

    def predict(
        self,
        X: da.Array,
        strata: ArrayLike | da.Array | None = None,
        *,
        y_pred: ArrayLike | da.Array | None = None,
    ) -> da.Array:
        """Predict the expected error of each sample.

        Parameters
        ----------
        X : dask.array.Array of shape (n_samples, n_features)
            Latents in blocks of whole rows, of known numbers.
        strata : dask.array.Array or array-like of shape (n_samples,), optional
            Class of each sample, if the estimator was fitted with classes.
        y_pred : dask.array.Array or array-like, optional
            The model's predictions, of shape (n_samples,) or (n_samples, n_outputs), in the
            unit of the errors, if the estimator was fitted with targets.

        Returns
        -------
        dask.array.Array of shape (n_samples,)
            Expected errors, in the unit of the error.

        Raises
        ------
        TypeError, ValueError
            If latents are not such a Dask array or have another width; strata are missing or
            of another length; or predictions are missing, not asked for or of another shape.
            When they are computed: as `LTAUEstimator.predict`.
        """
        return self._errors("predict", X, [Output()], y_pred=y_pred, strata=strata)[0]

    def predict_pdf(
        self,
        X: da.Array,
        strata: ArrayLike | da.Array | None = None,
        *,
        y_pred: ArrayLike | da.Array | None = None,
    ) -> da.Array:
        """Predict the density of each sample's error over `bin_edges_`.

        Parameters
        ----------
        X, strata, y_pred
            As in `predict`.

        Returns
        -------
        dask.array.Array of shape (n_samples, n_bins)
            Densities per unit of error, as `LTAUEstimator.predict_pdf` gives them.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        output = Output(len(self.bin_edges_) - 1)
        return self._errors("predict_pdf", X, [output], y_pred=y_pred, strata=strata)[0]

    def predict_cdf(
        self,
        X: da.Array,
        tolerance: ArrayLike,
        strata: ArrayLike | da.Array | None = None,
        *,
        y_pred: ArrayLike | da.Array | None = None,
    ) -> da.Array:
        """Predict the probability that each sample's error stays within a tolerance.

        Parameters
        ----------
        X, strata, y_pred
            As in `predict`.
        tolerance : float or array-like of shape (m,)
            Errors, in their unit.

        Returns
        -------
        dask.array.Array of shape (n_samples,) for a scalar, else (n_samples, m)
            P(error <= tolerance).

        Raises
        ------
        TypeError, ValueError
            As `predict`; and if `tolerance` has more than one dimension.
        """
        output = Output(_width(tolerance, "tolerance"))
        rows, settings = {"y_pred": y_pred, "strata": strata}, {"tolerance": tolerance}
        return self._errors("predict_cdf", X, [output], settings, **rows)[0]

    def predict_quantile(
        self,
        X: da.Array,
        q: ArrayLike,
        strata: ArrayLike | da.Array | None = None,
        *,
        groups: ArrayLike | da.Array | None = None,
        y_pred: ArrayLike | da.Array | None = None,
    ) -> da.Array:
        """Predict the error that each sample does not exceed with probability `q`.

        Parameters
        ----------
        X, strata, y_pred
            As in `predict`.
        q : float or array-like of shape (m,)
            Probabilities from 0 to 1.
        groups : dask.array.Array or array-like of shape (n_samples,), optional
            Group of each sample, if the estimator was calibrated with groups.

        Returns
        -------
        dask.array.Array of shape (n_samples,) for a scalar, else (n_samples, m)
            Quantiles of the error, in its unit.

        Raises
        ------
        TypeError, ValueError
            As `predict`; and if `q` has more than one dimension.
        """
        output = Output(_width(q, "q"))
        rows = {"strata": strata, "groups": groups}
        return self._errors("predict_quantile", X, [output], {"q": q}, y_pred=y_pred, **rows)[0]

    def predict_interval(
        self,
        X: da.Array,
        y_pred: ArrayLike | da.Array,
        level: float,
        strata: ArrayLike | da.Array | None = None,
        *,
        groups: ArrayLike | da.Array | None = None,
    ) -> da.Array:
        """Turn the model's predictions into intervals.

        Parameters
        ----------
        X, strata, groups
            As in `predict_quantile`.
        y_pred : dask.array.Array or array-like of shape (n_samples,)
            The model's predictions of the target.
        level : float
            Probability, from 0 to 1, that the target lies inside.

        Returns
        -------
        dask.array.Array of shape (n_samples, 2)
            Lower and upper ends.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        rows = {"y_pred": y_pred, "strata": strata, "groups": groups}
        return self._lazily("predict_interval", X, [Output(2)], {"level": level}, **rows)[0]

    def predict_summary(
        self,
        X: da.Array,
        level: float = 0.9,
        strata: ArrayLike | da.Array | None = None,
        *,
        groups: ArrayLike | da.Array | None = None,
        y_pred: ArrayLike | da.Array | None = None,
    ) -> ErrorSummary:
        """Predict the expected error, an error bar and the `ood_score`, by one search.

        Parameters
        ----------
        X, strata, groups, y_pred
            As in `predict_quantile`.
        level : float, default=0.9
            Probability, from 0 to 1, that the error stays within the error bar.

        Returns
        -------
        ErrorSummary
            Three Dask arrays of shape (n_samples,). Compute them together:
            ``dask.compute(*summary)``.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        rows = {"strata": strata, "groups": groups, "y_pred": y_pred}
        settings = {"level": level}
        return ErrorSummary(*self._errors("predict_summary", X, 3 * [Output()], settings, **rows))

    def kneighbors(
        self,
        X: da.Array,
        n_neighbors: int | None = None,
        strata: ArrayLike | da.Array | None = None,
    ) -> tuple[da.Array, da.Array]:
        """Find the nearest training samples.

        Parameters
        ----------
        X, strata
            As in `predict`.
        n_neighbors : int, optional
            How many; by default as many as the estimator was fitted with.

        Returns
        -------
        distances : dask.array.Array of shape (n_samples, n_neighbors)
            Euclidean distances in the scaled latent space, ascending.
        indices : dask.array.Array of shape (n_samples, n_neighbors)
            Rows of the training set. Compute them together with the distances.

        Raises
        ------
        TypeError, ValueError
            As `predict`; and if `n_neighbors` is no positive integer.
        """
        k = self._n_neighbors if n_neighbors is None else n_neighbors
        if not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"Expected n_neighbors >= 1, got {k!r}.")
        outputs = [Output(int(k)), Output(int(k), np.intp)]
        settings = {"n_neighbors": int(k)}
        distances, indices = self._lazily("kneighbors", X, outputs, settings, strata=strata)
        return distances, indices

    def ood_score(self, X: da.Array, strata: ArrayLike | da.Array | None = None) -> da.Array:
        """Measure how far each sample lies from the training domain.

        Parameters
        ----------
        X, strata
            As in `predict`.

        Returns
        -------
        dask.array.Array of shape (n_samples,)
            Ratios of distances, as `LTAUEstimator.ood_score` gives them.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        return self._lazily("ood_score", X, [Output()], strata=strata)[0]

    def _errors(
        self,
        method: str,
        X: da.Array,
        outputs: list[Output],
        settings: dict[str, Any] | None = None,
        **rows: ArrayLike | da.Array | None,
    ) -> tuple[da.Array, ...]:
        """Predict errors, with predictions of the model where there were targets at fit."""
        check_predictions_given(rows["y_pred"] is not None, self._n_outputs is not None)
        return self._lazily(method, X, outputs, settings, **rows)

    def _lazily(
        self,
        method: str,
        X: da.Array,
        outputs: list[Output],
        settings: dict[str, Any] | None = None,
        **rows: ArrayLike | da.Array | None,
    ) -> tuple[da.Array, ...]:
        """Check what can be checked without computing, and make the tasks."""
        check_latents(X, self.n_features_in_)
        check_strata_given(rows["strata"] is not None, self.strata_ is not None)
        y_pred = rows.pop("y_pred", None)
        checked = {name: check_rows(values, X, name) for name, values in rows.items()}
        if y_pred is not None:
            checked["y_pred"] = check_outputs(y_pred, X, self._n_outputs or 1, "y_pred")
        given = {name: values for name, values in checked.items() if values is not None}
        return self._predict(method, X, given, settings or {}, outputs)


def empty(outputs: list[Output]) -> list[NDArray[Any]]:
    """Predict nothing, for a block without samples."""
    return [np.empty((0,) if width is None else (0, width), dtype) for width, dtype in outputs]


def _width(values: ArrayLike, name: str) -> int | None:
    if np.ndim(values) > 1:
        raise ValueError(f"Expected {name} to be a number or a 1-D array, got {values!r}.")
    return None if np.ndim(values) == 0 else len(np.asarray(values))
