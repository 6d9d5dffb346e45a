"""Throughput of two Dask workers against one, and what each kind of block costs.

``python -m benchmarks.speed.dask_throughput`` prints both. The two clusters take turns, so that
a machine that drifts slows both; a worker has one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from benchmarks.harness.latents import clustered
from benchmarks.harness.parallel import one_thread
from benchmarks.harness.timing import fastest, quartiles, wall_seconds
from ltau import ErrorBins, ErrorHistogram, LTAUEstimator
from ltau.adapters.dask import DaskEstimator, ShardedEstimator
from ltau.neighbors import LatentScaler, make_index, scatter

N_SAMPLES, N_FEATURES, N_EPOCHS, K = 100_000, 64, 100, 10
N_QUERIES, BLOCK = 100_000, 5_000
ROUNDS = 7

Floats = NDArray[np.float32]


@contextmanager
def cluster(n_workers: int) -> Iterator[Client]:
    """Start so many worker processes of one thread each."""
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as workers,
        Client(workers, set_as_default=False) as client,
    ):
        yield client


def report(name: str, times: list[list[float]], n_queries: int) -> None:
    """Print the ratio of one worker's time to that of two, round by round."""
    one, two = np.transpose(times)
    low, middle, high = quartiles(one / two)
    print(
        f"{name}: two workers {middle:.2f} [{low:.2f}, {high:.2f}] times one; "
        f"{n_queries / np.median(one):,.0f} and {n_queries / np.median(two):,.0f} queries a second",
        flush=True,
    )


def throughput(estimator: LTAUEstimator, latents: Floats, errors: Floats) -> None:
    """Time predictions of blocks that the workers hold already."""
    whole, sharded = [], []
    with ExitStack() as stack:
        for n_workers in (1, 2):
            client = stack.enter_context(cluster(n_workers))
            queries = da.from_array(clustered(N_QUERIES, N_FEATURES), chunks=(BLOCK, -1))
            queries = client.persist(queries)
            client.gather(client.compute(queries.sum()))
            predictor = DaskEstimator(estimator, client)
            whole.append((client, predictor.predict(queries)))
            blocks = [
                da.from_array(part, chunks=(N_SAMPLES // 4, -1)) for part in (latents, errors)
            ]
            shards = ShardedEstimator(LTAUEstimator(K, distance_scaling=0.0), client).fit(*blocks)
            sharded.append((client, shards.predict(queries[: N_QUERIES // 2])))

        def once(client: Client, lazy: da.Array) -> None:
            client.compute(lazy).result()

        for name, pair, n in (
            ("the whole estimator on each worker", whole, N_QUERIES),
            ("four shards", sharded, N_QUERIES // 2),
        ):
            times = [
                [wall_seconds(partial(once, *side))[1] for side in pair] for _ in range(ROUNDS + 1)
            ]
            report(name, times[1:], n)  # the first round warms up


def costs(estimator: LTAUEstimator, latents: Floats, errors: Floats) -> None:
    """Measure what a worker does with a block, in seconds of one core, whatever else runs."""
    bins = ErrorBins(estimator.bin_edges_)
    mean = latents.mean(axis=0, dtype=np.float64)
    scaler = LatentScaler.fit(latents, "whiten")
    vectors, queries = scaler.transform(latents), clustered(BLOCK, N_FEATURES)
    scaled = scaler.transform(queries)
    index = make_index("auto", vectors, n_neighbors=K)
    n_values, n = errors.size, len(latents)

    def count() -> None:
        ErrorHistogram(bins, n).update(errors, slice(None))

    for name, scale, unit, function in [
        ("range of errors", n_values, "ns a value", lambda: ErrorBins.from_errors(errors)),
        ("counting", n_values, "ns a value", count),
        ("moments", n, "ns a sample", lambda: scatter(latents, mean)),
        ("scaling", n, "ns a sample", lambda: scaler.transform(latents)),
        ("index, IVF", n, "ns a sample", lambda: make_index("ivf", vectors, n_neighbors=K)),
        ("index, auto", n, "ns a sample", lambda: make_index("auto", vectors, n_neighbors=K)),
        (f"search, {index!r}", BLOCK, "ns a query", lambda: index.search(scaled, K)),
        ("predict, with its search", BLOCK, "ns a query", lambda: estimator.predict(queries)),
    ]:
        print(f"{name}: {1e9 * fastest(function, 3) / scale:,.1f} {unit}", flush=True)


def main() -> None:
    """Print the figures."""
    print(f"{N_SAMPLES:,} x {N_FEATURES} latents, {N_EPOCHS} epochs, k = {K}, blocks of {BLOCK:,}")
    latents = clustered(N_SAMPLES, N_FEATURES)
    errors = np.random.default_rng(1).exponential(size=(N_SAMPLES, N_EPOCHS)).astype(np.float32)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        estimator = LTAUEstimator(K, burn_in=0.0, distance_scaling=0.0).fit(latents, errors)
        with one_thread():
            costs(estimator, latents, errors)
        throughput(estimator, latents, errors)


if __name__ == "__main__":
    main()
