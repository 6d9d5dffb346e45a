"""What predictions cost beyond the bare search: 10,000 queries in 100,000 latents, k = 10."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.harness.latents import clustered
from benchmarks.harness.timing import quartiles, wall_seconds
from benchmarks.speed.bare import bare_search, only_index
from ltau import LTAUEstimator

N_SAMPLES, N_FEATURES, N_QUERIES, K = 100_000, 32, 10_000, 10

Floats = NDArray[np.float32]
Case = tuple[LTAUEstimator, Floats]


@pytest.fixture(scope="module", params=["flat", "auto"])
def case(request: pytest.FixtureRequest) -> Case:
    """Make an estimator and queries."""
    latents, queries = np.split(clustered(N_SAMPLES + N_QUERIES, N_FEATURES), [N_SAMPLES])
    errors = np.random.default_rng(1).exponential(size=(N_SAMPLES, 100)).astype(np.float32)
    estimator = LTAUEstimator(
        K, burn_in=0.0, scaling="none", distance_scaling=0.0, index=request.param, random_state=0
    )
    return estimator.fit(latents, errors), queries


def predict(estimator: LTAUEstimator, queries: Floats) -> None:
    estimator.predict(queries)


def predict_pdf(estimator: LTAUEstimator, queries: Floats) -> None:
    estimator.predict_pdf(queries)


def predict_cdf(estimator: LTAUEstimator, queries: Floats) -> None:
    estimator.predict_cdf(queries, 1.0)


def predict_quantile(estimator: LTAUEstimator, queries: Floats) -> None:
    estimator.predict_quantile(queries, 0.9)


@pytest.mark.parametrize("n_queries", [100, N_QUERIES])
@pytest.mark.parametrize("what", [predict, predict_pdf, predict_cdf, predict_quantile])
def test_prediction(
    benchmark: Any, case: Case, what: Callable[[LTAUEstimator, Floats], None], n_queries: int
) -> None:
    """Time a prediction, and before each round the bare search: machines drift."""
    estimator, queries = case
    queries = queries[:n_queries]
    scaler, index = only_index(estimator)
    scaled = scaler.transform(queries)
    searches: list[float] = []

    def search() -> None:
        searches.append(wall_seconds(lambda: bare_search(index, scaled, K))[1])

    benchmark.group = f"{estimator.index_} index, {n_queries:,} queries"
    benchmark.pedantic(what, (estimator, queries), setup=search, rounds=11, warmup_rounds=1)
    ratios = np.array(benchmark.stats.stats.data) / searches[-11:]
    low, middle, high = quartiles(ratios)
    print(
        f"\n{what.__name__}, {n_queries:,} queries, {estimator.index_} index at a recall of "
        f"{estimator.recall_:.4f}: {middle:.2f} [{low:.2f}, {high:.2f}] times the bare search "
        f"of {1e3 * np.median(searches):.1f} ms"
    )
