"""An estimator whose training set is spread over the workers."""

from __future__ import annotations

from typing import Any, Self

import dask.array as da
import numpy as np
from dask import delayed
from dask.delayed import Delayed
from distributed import Client, Future, default_client
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from ltau._errors.bins import ErrorBins
from ltau.adapters.dask import _tasks as tasks
from ltau.adapters.dask._blocks import Block, checked_blocks, training_blocks
from ltau.adapters.dask._checks import check_errors, check_latents, check_outputs, check_rows
from ltau.adapters.dask._cluster import gather, merge
from ltau.adapters.dask._counts import find_bins
from ltau.adapters.dask._groups import find_groups
from ltau.adapters.dask._moments import learn_scales
from ltau.adapters.dask._own import learn_own
from ltau.adapters.dask._predictions import LazyPredictions, Output, Rows
from ltau.adapters.dask._shard import Geometry, Labels
from ltau.estimator import LTAUEstimator
from ltau.log import ErrorLog

__all__ = ["ShardedEstimator"]

Floats = NDArray[np.float64]


class ShardedEstimator(LazyPredictions):
    """Predict with a training set that no single machine holds.

    Each block of training samples becomes a shard on some worker: an index of its latents,
    and its error counts. All shards are searched for a query, and the nearest of all are
    taken: with ``index="flat"`` exactly the neighbours that one process finds. If a worker
    is lost, its shards are made again from their blocks.

    Parameters
    ----------
    estimator : LTAUEstimator, optional
        The settings; it is not fitted itself. By default those of ``LTAUEstimator()``.
        An approximate index is made and tuned for each shard by itself. `n_jobs` is not
        used: a search takes the threads that its worker has.
    client : distributed.Client, optional
        Client of the cluster; by default the current one.

    Attributes
    ----------
    bin_edges_ : ndarray of shape (n_bins + 1,)
        Edges of the bins, from 0 to the largest error, in its unit.
    strata_ : ndarray of shape (n_strata,) or None
        The strata seen at fit.
    recall_ : float
        Recall of the shard where it is lowest; 1 if all are exact.
    n_samples_fit_ : int
        Number of training samples.
    n_features_in_ : int
        Number of latent features.

    Raises
    ------
    ValueError
        If there is no client.

    See Also
    --------
    DaskEstimator : Where each worker can hold the whole training set: with less to send.

    Notes
    -----
    Bins and counts are those of one process, to the last bit. The scaling is learnt from
    sums over blocks, which round differently from one sum over all: scaled latents and
    distances may differ in the last digit of float32, and equally near samples may change
    places. Predictions agree as closely. Samples at the same place count together, whatever
    shards they are in.

    `ood_score`, `distance_scaling` above 0, targets and groups need each training sample's own
    neighbours: all shards are searched for all samples, once. `calibrate`, `save` and
    prototypes are not offered.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from distributed import Client
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.dask import ShardedEstimator
    >>> rng = np.random.default_rng(0)
    >>> latents, errors = rng.normal(size=(500, 3)), rng.random((500, 40))
    >>> client = Client(processes=False, n_workers=1, dashboard_address=":0")
    >>> sharded = ShardedEstimator(LTAUEstimator(n_neighbors=5), client).fit(
    ...     da.from_array(latents, chunks=(100, 3)), da.from_array(errors, chunks=(100, 40))
    ... )
    >>> new = rng.normal(size=(1000, 3))
    >>> _, rows = sharded.kneighbors(da.from_array(new, chunks=(250, 3)))
    >>> whole = LTAUEstimator(n_neighbors=5).fit(latents, errors)
    >>> bool(np.array_equal(rows.compute(), whole.kneighbors(new)[1]))
    True
    >>> client.close()
    """

    def __init__(
        self, estimator: LTAUEstimator | None = None, client: Client | None = None
    ) -> None:
        self.estimator = LTAUEstimator() if estimator is None else estimator
        self.client = default_client() if client is None else client
        self._shards: list[Future] = []

    def fit(
        self,
        X: da.Array,
        y: da.Array | ErrorLog,
        strata: ArrayLike | da.Array | None = None,
        *,
        groups: ArrayLike | da.Array | None = None,
        targets: ArrayLike | da.Array | None = None,
    ) -> Self:
        """Make a shard of each block of training samples.

        Parameters
        ----------
        X : dask.array.Array of shape (n_samples, n_features)
            Latents of the training samples, in blocks of whole rows, of known numbers: two
            or more for each worker.
        y : dask.array.Array of shape (n_samples, n_epochs), or ErrorLog
            Errors, as in `LTAUEstimator.fit`. All workers must find a log under the same
            path.
        strata : dask.array.Array or array-like of shape (n_samples,), optional
            Class of each sample.
        groups : dask.array.Array or array-like of shape (n_samples,), optional
            Group of each sample, as in `LTAUEstimator.fit`.
        targets : dask.array.Array or array-like, optional
            What the model should have predicted, of shape (n_samples,) or (n_samples,
            n_outputs), as in `LTAUEstimator.fit`.

        Returns
        -------
        ShardedEstimator
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If arrays are not as described; as `LTAUEstimator.fit`.
        """
        settings: LTAUEstimator = clone(self.estimator)
        settings.settings()  # refuses parameters that are invalid
        check_latents(X)
        outputs = None if targets is None else check_outputs(targets, X, None, "targets")
        errors = check_errors(y, X.chunks[0], settings.burn_in)
        blocks = training_blocks(
            X,
            errors,
            settings.scaling,
            strata=check_rows(strata, X, "strata"),
            targets=outputs,
            groups=check_rows(groups, X, "groups"),
        )
        where = [(block.latents, block.classes) for block in blocks]
        scales = learn_scales(where, settings.scaling, settings.n_neighbors, X.dtype, self.client)
        names = None
        if groups is not None:
            sizes = {label: stratum.n_samples for label, stratum in scales.items()}
            names = find_groups([(b.groups, b.classes) for b in blocks], sizes, self.client)
        bins = find_bins(errors, settings, self.client)
        shared = self.client.compute(delayed(scales))
        shards = self._build(blocks, settings, shared, names, bins)
        self.recall_ = min(gather(self.client, [delayed(tasks.recall)(s) for s in shards]))
        self.n_samples_fit_, self._n_features = X.shape
        self._settings, self._bins, self._labels = settings, bins, list(scales)
        self._scales, self._shards = shared, shards
        floors = np.array([stratum.floor for stratum in scales.values()])
        units = np.array([stratum.scaler.unit for stratum in scales.values()])
        self._geometry = Geometry(floors, floors, units)
        self._n_target_outputs = None if outputs is None else outputs.shape[1]
        self._own: tuple[list[Future], Floats] | None = None  # with the floors of the strata
        if settings.distance_scaling or outputs is not None or groups is not None:
            self._training_distances()
        return self

    def _build(
        self,
        blocks: list[Block],
        settings: LTAUEstimator,
        scales: Future,
        names: Labels | None,
        bins: ErrorBins,
    ) -> list[Future]:
        """Make a shard of each block."""
        options = {
            "kind": settings.index,
            "n_neighbors": settings.n_neighbors,
            "recall": settings.recall,
            "random_state": settings.random_state,
        }
        given = scales, self.client.compute(delayed(names)), bins, options
        shards: list[Future] = self.client.compute(
            [delayed(tasks.build)(*block, *given) for block in blocks]
        )
        return shards

    @property
    def bin_edges_(self) -> Floats:
        """Edges of the bins, shape (n_bins + 1,), in the unit of the error."""
        self._check_is_fitted()
        return self._bins.edges

    @property
    def strata_(self) -> NDArray[np.generic] | None:
        """The strata seen at fit, or None."""
        self._check_is_fitted()
        return None if self._labels == [None] else np.array(self._labels)

    @property
    def n_features_in_(self) -> int:
        """Number of latent features."""
        self._check_is_fitted()
        return self._n_features

    @property
    def _n_neighbors(self) -> int:
        self._check_is_fitted()
        return self._settings.n_neighbors

    @property
    def _n_outputs(self) -> int | None:
        self._check_is_fitted()
        return self._n_target_outputs

    def _check_is_fitted(self) -> None:
        if not self._shards:
            raise NotFittedError("This ShardedEstimator is not fitted yet: call fit() first.")

    def _predict(
        self, method: str, X: da.Array, rows: Rows, settings: dict[str, Any], outputs: list[Output]
    ) -> tuple[da.Array, ...]:
        blocks = checked_blocks(X, rows.pop("strata", None))
        others = {name: array.to_delayed().ravel().tolist() for name, array in rows.items()}
        stretches = self._settings.distance_scaling or self._n_outputs is not None
        needs_own = stretches or method in ("ood_score", "predict_summary")
        own: list[Any] = [None] * len(self._shards)
        geometry = self._geometry
        if needs_own:
            own, own_floors = self._training_distances()
            geometry = geometry._replace(own_floors=own_floors)
        results = []
        for number, block in enumerate(blocks):
            k = settings.get("n_neighbors", self._n_neighbors)
            asked = delayed(tasks.scale)(*block, self._scales, k)
            found = self._find(asked, k)
            holders = zip(self._shards, own, strict=True)
            known = [delayed(tasks.look_up)(*holder, found) for holder in holders]
            options = settings | {name: parts[number] for name, parts in others.items()}
            finish = delayed(tasks.finish)
            edges = self._bins.edges
            parts = asked, found, known, edges, geometry
            results.append(finish(self._settings, method, *parts, options, outputs))
        return _joined(results, X.chunks[0], outputs)

    def _find(self, asked: Delayed, k: int) -> Delayed:
        """Ask all shards for the neighbours of one block."""
        return merge([delayed(tasks.search)(shard, asked, k) for shard in self._shards], k)

    def _training_distances(self) -> tuple[list[Future], Floats]:
        """Give what is usual among the samples of each shard, searched once."""
        if self._own is None:
            self._own = learn_own(self._shards, self._scales, self._n_neighbors, self.client)
        return self._own


def _joined(
    results: list[Delayed], sizes: tuple[int, ...], outputs: list[Output]
) -> tuple[da.Array, ...]:
    """Put the results of all blocks together, output by output."""
    arrays = []
    for number, (width, dtype) in enumerate(outputs):
        parts = [result[number] for result in results]
        trailing = () if width is None else (width,)
        arrays.append(
            da.concatenate(
                [
                    da.from_delayed(part, (size, *trailing), dtype)
                    for part, size in zip(parts, sizes, strict=True)
                ]
            )
        )
    return tuple(arrays)
