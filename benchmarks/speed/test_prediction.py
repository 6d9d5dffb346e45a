"""What predictions cost beyond the bare search: 10,000 queries in 100,000 latents, k = 10."""

import time

import faiss
import numpy as np
import pytest

from ltau import LTAUEstimator

N_SAMPLES, N_FEATURES, N_QUERIES, K = 100_000, 32, 10_000, 10


def clustered(n):
    """Latents in clusters, as those of a trained model are."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(200, N_FEATURES))
    return (centers[rng.integers(200, size=n)] + rng.normal(size=(n, N_FEATURES))).astype("f4")


@pytest.fixture(scope="module", params=["flat", "auto"])
def case(request):
    """Make an estimator, queries, and a bare faiss index over the same latents."""
    latents, queries = np.split(clustered(N_SAMPLES + N_QUERIES), [N_SAMPLES])
    errors = np.random.default_rng(1).exponential(size=(N_SAMPLES, 100)).astype(np.float32)
    estimator = LTAUEstimator(
        K, burn_in=0.0, scaling="none", distance_scaling=0.0, index=request.param, random_state=0
    ).fit(latents, errors)
    if estimator.index_ == "flat":
        bare = faiss.IndexFlatL2(N_FEATURES)
        bare.add(latents)
    else:
        bare = estimator._index.strata[0].index.searcher
    return estimator, queries, bare


def predict(estimator, queries):
    estimator.predict(queries)


def predict_pdf(estimator, queries):
    estimator.predict_pdf(queries)


def predict_cdf(estimator, queries):
    estimator.predict_cdf(queries, 1.0)


def predict_quantile(estimator, queries):
    estimator.predict_quantile(queries, 0.9)


@pytest.mark.parametrize("n_queries", [100, N_QUERIES])
@pytest.mark.parametrize("what", [predict, predict_pdf, predict_cdf, predict_quantile])
def test_prediction(benchmark, case, what, n_queries):
    """Time a prediction, and before each round the bare search: machines drift."""
    estimator, queries, bare = case
    queries = queries[:n_queries]
    searches = []

    def search():
        start = time.perf_counter()
        bare.search(queries, K)
        searches.append(time.perf_counter() - start)

    benchmark.group = f"{estimator.index_} index, {n_queries:,} queries"
    benchmark.pedantic(what, (estimator, queries), setup=search, rounds=11, warmup_rounds=1)
    ratios = np.array(benchmark.stats.stats.data) / searches[-11:]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(
        f"\n{what.__name__}, {n_queries:,} queries, {estimator.index_} index at a recall of "
        f"{estimator.recall_:.4f}: {middle:.2f} [{low:.2f}, {high:.2f}] times the bare search "
        f"of {1e3 * np.median(searches):.1f} ms"
    )
