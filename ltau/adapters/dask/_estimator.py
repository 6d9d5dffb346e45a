"""A fitted estimator on every worker."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, default_client
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltau.adapters.dask._predictions import LazyPredictions, Output, Rows, empty
from ltau.estimator import LTAUEstimator

__all__ = ["DaskEstimator"]


class DaskEstimator(LazyPredictions):
    """Predict on Dask arrays with a fitted estimator, block by block.

    The estimator is sent to the cluster once, as it is now: later changes, such as a
    calibration, have no effect. The scheduler keeps it, and each worker gets a copy. If
    workers are lost, others compute their blocks.

    Parameters
    ----------
    estimator : LTAUEstimator
        The fitted estimator. The search that `ood_score` needs is done here, if it was not
        done before.
    client : distributed.Client, optional
        Client of the cluster; by default the current one.

    Attributes
    ----------
    estimator : LTAUEstimator
        The estimator.
    client : distributed.Client
        The client.
    remote : distributed.Future
        The estimator on the cluster, for tasks of your own.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If there is no client.

    See Also
    --------
    ShardedEstimator : Where the training set is too large for each worker.

    Notes
    -----
    Results are those of the estimator itself on the same block. A process searches on
    one thread of Dask at a time: give each worker one, ``threads_per_worker=1``.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from distributed import Client
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.dask import DaskEstimator
    >>> rng = np.random.default_rng(0)
    >>> latents = rng.normal(size=(500, 3))
    >>> errors = np.abs(rng.normal(size=(500, 40))) * np.exp(latents[:, :1])
    >>> estimator = LTAUEstimator().fit(latents, errors)
    >>> client = Client(processes=False, n_workers=1, dashboard_address=":0")
    >>> predictor = DaskEstimator(estimator, client)
    >>> new = da.from_array(rng.normal(size=(1000, 3)), chunks=(250, 3))
    >>> expected = predictor.predict(new)                  # nothing is computed yet
    >>> expected.chunks
    ((250, 250, 250, 250),)
    >>> bool(np.array_equal(expected.compute(), estimator.predict(new.compute())))
    True
    >>> client.close()
    """

    def __init__(self, estimator: LTAUEstimator, client: Client | None = None) -> None:
        check_is_fitted(estimator)
        self.estimator = estimator
        self.client = default_client() if client is None else client
        # What is computed once and kept, computed before there are copies.
        fitted = estimator.fitted_
        fitted.own_distances(estimator.settings().n_neighbors)
        _ = fitted.densities.means
        # A task, because what is scattered is lost with the last worker that has it.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1PB"}):
            self.remote = self.client.submit(_itself, estimator, pure=False)

    @property
    def bin_edges_(self) -> NDArray[np.float64]:
        """Edges of the bins, shape (n_bins + 1,), in the unit of the error."""
        return self.estimator.bin_edges_

    @property
    def strata_(self) -> NDArray[np.generic] | None:
        """The strata seen at fit, or None."""
        return self.estimator.strata_

    @property
    def n_features_in_(self) -> int:
        """Number of latent features."""
        return self.estimator.n_features_in_

    @property
    def _n_neighbors(self) -> int:
        return self.estimator.n_neighbors

    @property
    def _n_outputs(self) -> int | None:
        targets = self.estimator.fitted_.targets
        return None if targets is None else targets.shape[1]

    def predict_ood(
        self,
        X: da.Array,
        strata: ArrayLike | da.Array | None = None,
        *,
        false_positive_rate: float = 0.05,
    ) -> da.Array:
        """Say which samples lie outside the training domain.

        Parameters
        ----------
        X, strata
            As in `predict`.
        false_positive_rate : float, default=0.05
            Share of samples like the training samples that may be called outside, between 0
            and 1.

        Returns
        -------
        dask.array.Array of shape (n_samples,), bool
            Whether each sample lies outside.

        Raises
        ------
        TypeError, ValueError
            As `predict`; and if the rate lies outside (0, 1).
        """
        return self.ood_score(X, strata) > self.estimator.ood_threshold(false_positive_rate)

    def _predict(
        self, method: str, X: da.Array, rows: Rows, settings: dict[str, Any], outputs: list[Output]
    ) -> tuple[da.Array, ...]:
        of_rows = ["()" if array.ndim == 1 else "(outputs)" for array in rows.values()]
        inputs = ",".join(["(features)", *of_rows])
        widths = {f"w{width}": width for width, _ in outputs if width is not None}
        columns = ["()" if width is None else f"(w{width})" for width, _ in outputs]
        dtypes = [dtype for _, dtype in outputs]
        predicted = da.apply_gufunc(
            _predict_block,
            f"{inputs}->{','.join(columns)}",
            X,
            *rows.values(),
            output_sizes=widths,
            output_dtypes=dtypes if len(outputs) > 1 else dtypes[0],
            vectorize=False,
            estimator=self.remote,
            method=method,
            names=list(rows),
            settings=settings,
            outputs=outputs,
        )
        return tuple(predicted) if len(outputs) > 1 else (predicted,)


def _itself(estimator: LTAUEstimator) -> LTAUEstimator:
    return estimator


def _predict_block(
    latents: NDArray[Any],
    *rows: NDArray[Any],
    estimator: LTAUEstimator,
    method: str,
    names: list[str],
    settings: dict[str, Any],
    outputs: list[Output],
) -> Any:
    if not len(latents):
        nothing = empty(outputs)
        return nothing if len(outputs) > 1 else nothing[0]
    given = dict(zip(names, rows, strict=True))
    return getattr(estimator, method)(latents, **given, **settings)
