"""What predictions cost beyond the bare search: 10,000 queries in 100,000 latents, k = 10."""

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
    estimator = LTAUEstimator(K, index=request.param, random_state=0).fit(latents, errors)
    if estimator.index_ == "flat":
        bare = faiss.IndexFlatL2(N_FEATURES)
        bare.add(latents)
    else:
        bare = estimator._index._strata[0].index._faiss
    return estimator, queries, bare


def search(estimator, queries, bare):
    bare.search(queries, K)


def predict(estimator, queries, bare):
    estimator.predict(queries)


def predict_pdf(estimator, queries, bare):
    estimator.predict_pdf(queries)


def predict_cdf(estimator, queries, bare):
    estimator.predict_cdf(queries, 1.0)


def predict_quantile(estimator, queries, bare):
    estimator.predict_quantile(queries, 0.9)


@pytest.mark.parametrize("what", [search, predict, predict_pdf, predict_cdf, predict_quantile])
def test_prediction(benchmark, case, what):
    benchmark.group = f"{case[0].index_} index, {N_QUERIES:,} queries"
    benchmark.extra_info["recall"] = case[0].recall_
    benchmark.pedantic(what, case, rounds=7, warmup_rounds=1)


@pytest.mark.parametrize("what", [search, predict])
def test_small_batch(benchmark, case, what):
    estimator, queries, bare = case
    benchmark.group = f"{estimator.index_} index, 100 queries"
    benchmark.pedantic(what, (estimator, queries[:100], bare), rounds=50, warmup_rounds=5)
