"""Throughput of two Dask workers against one, and what each kind of block costs.

``python -m benchmarks.speed.dask_throughput`` prints both. The two clusters take turns, so that
a machine that drifts slows both; a worker has one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

from ltau import ErrorBins, ErrorHistogram, LTAUEstimator
from ltau._errors.range import ErrorRange
from ltau.adapters.dask import DaskEstimator, ShardedEstimator
from ltau.adapters.dask._found import predict_found
from ltau.adapters.dask._shard import Queries, Shard, nearest
from ltau.neighbors import LatentScaler, scatter

N_SAMPLES, N_FEATURES, N_EPOCHS, K = 100_000, 64, 100, 10
N_QUERIES, BLOCK = 100_000, 5_000
ROUNDS = 7


def clustered(n: int) -> np.ndarray:
    """Latents in clusters, as those of a trained model are."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(200, N_FEATURES))
    return (centers[rng.integers(200, size=n)] + rng.normal(size=(n, N_FEATURES))).astype("f4")


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


def seconds(function: Callable[..., Any], *args: Any) -> float:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def core_seconds(function: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def report(name: str, times: list[list[float]], n_queries: int) -> None:
    """Print the ratio of one worker's time to that of two, round by round."""
    one, two = np.transpose(times)
    low, middle, high = np.quantile(one / two, [0.25, 0.5, 0.75])
    print(
        f"{name}: two workers {middle:.2f} [{low:.2f}, {high:.2f}] times one; "
        f"{n_queries / np.median(one):,.0f} and {n_queries / np.median(two):,.0f} queries a second",
        flush=True,
    )


def throughput(estimator: LTAUEstimator, latents: np.ndarray, errors: np.ndarray) -> None:
    """Time predictions of blocks that the workers hold already."""
    whole, sharded = [], []
    with ExitStack() as stack:
        for n_workers in (1, 2):
            client = stack.enter_context(cluster(n_workers))
            queries = da.from_array(clustered(N_QUERIES), chunks=(BLOCK, -1))
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
            times = [[seconds(once, *side) for side in pair] for _ in range(ROUNDS + 1)]
            report(name, times[1:], n)  # the first round warms up


def costs(estimator: LTAUEstimator, latents: np.ndarray, errors: np.ndarray) -> None:
    """Measure what a worker does with a block, in seconds of one core, whoever else is at work."""
    bins = ErrorBins(estimator.bin_edges_)
    mean = latents.mean(axis=0, dtype=np.float64)
    scaler = LatentScaler.fit(latents, "whiten")
    queries = Queries.of(clustered(BLOCK), None, {None: scaler})
    options = {"kind": "auto", "n_neighbors": K, "recall": 0.99, "random_state": 0}
    training = Queries.of(latents, None, {None: scaler})
    cumulative = estimator._densities.cumulative
    shard = Shard.build(0, cumulative, training, **options)
    found = shard.search(queries, K)
    near = shard.look_up(found[1], np.ones(len(latents)))
    settings, edges = LTAUEstimator(K), bins.edges
    n_values, n = errors.size, len(latents)
    for name, scale, unit, function in [
        ("range of errors", n_values, "ns a value", lambda: ErrorRange().update(errors)),
        (
            "counting",
            n_values,
            "ns a value",
            lambda: ErrorHistogram(bins, n).update(errors, slice(None)),
        ),
        ("moments", n, "ns a sample", lambda: scatter(latents, mean)),
        ("scaling", n, "ns a sample", lambda: scaler.transform(latents)),
        ("index", n, "ns a sample", lambda: Shard.build(0, cumulative, training, **options)),
        (
            f"search, {shard.strata[None][1]!r}",
            BLOCK,
            "ns a query",
            lambda: shard.search(queries, K),
        ),
        ("merging 16 shards", BLOCK, "ns a query", lambda: nearest([found] * 16, K)),
        ("look-up", BLOCK, "ns a query", lambda: shard.look_up(found[1], np.ones(n))),
        (
            "predict",
            BLOCK,
            "ns a query",
            lambda: predict_found(settings, "predict", found, [near], edges, {}),
        ),
    ]:
        print(f"{name}: {1e9 * core_seconds(function) / scale:,.1f} {unit}", flush=True)
    held = shard.__sizeof__() + 8 * n
    print(f"a shard holds {held / n:.0f} bytes a sample with its own distances")
    sent = sum(part.nbytes for part in near if part is not None) / BLOCK
    print(f"what a shard tells of a query: {sent:.0f} bytes at most, and {16 * K} of neighbours")


def main() -> None:
    """Print the figures."""
    print(f"{N_SAMPLES:,} x {N_FEATURES} latents, {N_EPOCHS} epochs, k = {K}, blocks of {BLOCK:,}")
    latents = clustered(N_SAMPLES)
    errors = np.random.default_rng(1).exponential(size=(N_SAMPLES, N_EPOCHS)).astype(np.float32)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        estimator = LTAUEstimator(K, burn_in=0.0, distance_scaling=0.0).fit(latents, errors)
        with threadpool_limits(1):
            costs(estimator, latents, errors)
        throughput(estimator, latents, errors)


if __name__ == "__main__":
    main()
