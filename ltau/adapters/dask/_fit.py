"""Fits whose errors are counted by the workers."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, default_client
from numpy.typing import ArrayLike
from sklearn.base import clone

from ltau.adapters.dask._checks import check_errors, check_latents
from ltau.adapters.dask._counts import count, find_bins
from ltau.estimator import LTAUEstimator
from ltau.log import ErrorLog

__all__ = ["fit"]

_BLOCK_VALUES = 1 << 24  # errors counted at once


def fit(
    estimator: LTAUEstimator,
    X: ArrayLike | da.Array,
    y: ErrorLog | da.Array,
    strata: ArrayLike | da.Array | None = None,
    client: Client | None = None,
    *,
    groups: ArrayLike | da.Array | None = None,
    targets: ArrayLike | da.Array | None = None,
) -> LTAUEstimator:
    """Fit an estimator to errors that the workers count, block by block.

    Errors are read where they are counted, so all workers must find a log under the same
    path. Latents, labels, targets and counts are collected here, and the index is made
    here.

    Parameters
    ----------
    estimator : LTAUEstimator
        The estimator to fit.
    X : array-like or dask.array.Array of shape (n_samples, n_features)
        Latents of the training samples.
    y : ErrorLog, or dask.array.Array of shape (n_samples, n_epochs)
        Errors, as in `LTAUEstimator.fit`. They are counted in the blocks of the latents,
        or else in blocks of 64 MiB.
    strata : array-like or dask.array.Array of shape (n_samples,), optional
        Class of each sample.
    client : distributed.Client, optional
        Client of the cluster; by default the current one.
    groups : array-like or dask.array.Array of shape (n_samples,), optional
        Group of each sample, as in `LTAUEstimator.fit`.
    targets : array-like or dask.array.Array, optional
        What the model should have predicted, of shape (n_samples,) or (n_samples, n_outputs),
        as in `LTAUEstimator.fit`.

    Returns
    -------
    LTAUEstimator
        The estimator, fitted: as ``estimator.fit(X, y, strata)`` would be, with the same
        groups and targets.

    Raises
    ------
    TypeError
        If errors are neither a log nor a Dask array.
    ValueError
        As `LTAUEstimator.fit`; if Dask arrays are not in blocks of whole rows, of known
        numbers; or if there is no client.

    See Also
    --------
    ShardedEstimator.fit : Where the training set is too large for one machine.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from distributed import Client
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.dask import fit
    >>> rng = np.random.default_rng(0)
    >>> latents, errors = rng.normal(size=(500, 3)), rng.random((500, 40))
    >>> client = Client(processes=False, n_workers=1, dashboard_address=":0")
    >>> estimator = fit(LTAUEstimator(), latents, da.from_array(errors, chunks=(100, 40)))
    >>> whole = LTAUEstimator().fit(latents, errors)
    >>> bool(np.array_equal(estimator.predict(latents), whole.predict(latents)))
    True
    >>> client.close()
    """
    clone(estimator).settings()  # refuses parameters before anything is counted
    client = default_client() if client is None else client
    rows = check_latents(X).chunks[0] if isinstance(X, da.Array) else _row_blocks(np.shape(X)[0], y)
    errors = check_errors(y, rows, estimator.burn_in)
    histogram = count(errors, find_bins(errors, estimator, client), client)
    given = {"groups": _gather(groups, client), "targets": _gather(targets, client)}
    estimator.fit(_gather(X, client), histogram, _gather(strata, client), **given)
    if isinstance(y, ErrorLog):
        estimator.target_, estimator.unit_, estimator.notes_ = y.target, y.unit, y.notes
    return estimator


def _row_blocks(n_samples: int, y: ErrorLog | da.Array) -> tuple[int, ...]:
    """Share samples out in blocks of bounded memory."""
    n_epochs = y.shape[1] if np.ndim(y) == 2 else 1
    return da.core.normalize_chunks(max(1, _BLOCK_VALUES // max(1, n_epochs)), (n_samples,))[0]


def _gather(array: Any, client: Client) -> Any:
    return client.compute(array).result() if isinstance(array, da.Array) else array
