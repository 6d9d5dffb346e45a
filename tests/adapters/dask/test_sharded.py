"""A training set on several workers, against one process that has all of it."""

import gc

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import as_completed
from sklearn.exceptions import NotFittedError

from ltau import LTAUEstimator
from ltau.adapters.dask import ShardedEstimator
from ltau.adapters.dask import _cluster as module
from ltau.log import ErrorLog

CALLS = {
    "predict": {},
    "predict_pdf": {},
    "predict_cdf": {"tolerance": [0.5, 2.0]},
    "predict_quantile": {"q": 0.9},
    "predict_interval": {"y_pred": np.arange(150.0), "level": 0.9},
    "predict_summary": {"level": 0.5},
    "ood_score": {},
}

SETTINGS = [
    {},
    {"scaling": "none", "weights": "uniform", "distance_scaling": 0.0},
    {"scaling": "standardize", "stretch": "power", "distance_scaling": 0.5, "n_neighbors": 3},
]


@pytest.fixture(scope="module", params=SETTINGS, ids=["defaults", "paper", "power"])
def pair(request, samples, client):
    """The same settings fitted in shards of 110 samples, and in one process."""
    latents, errors, *_ = samples
    sharded = ShardedEstimator(LTAUEstimator(**request.param), client).fit(
        da.from_array(latents, chunks=(110, 5)), da.from_array(errors, chunks=(110, 30))
    )
    return sharded, LTAUEstimator(**request.param).fit(latents, errors)


@pytest.fixture(scope="module")
def pair_with_strata(samples, client):
    """Shards so small that they have fewer samples of a stratum than some neighbours asked for."""
    latents, errors, strata, *_ = samples
    sharded = ShardedEstimator(client=client).fit(
        da.from_array(latents, chunks=(110, 5)), da.from_array(errors, chunks=(110, 30)), strata
    )
    return sharded, LTAUEstimator().fit(latents, errors, strata)


def assert_same(found, expected):
    several = isinstance(expected, tuple)
    lazy, expected = (found, expected) if several else ((found,), (expected,))
    for array, computed, values in zip(lazy, dask.compute(*lazy), expected, strict=True):
        assert array.shape == values.shape
        assert array.dtype == computed.dtype == values.dtype
        np.testing.assert_allclose(computed, values, rtol=1e-5)


def assert_same_neighbors(sharded, whole, queries, strata=None, k=None):
    lazy = sharded.kneighbors(da.from_array(queries, chunks=(40, -1)), k, strata)
    distances, rows = dask.compute(*lazy)
    expected_distances, expected_rows = whole.kneighbors(queries, k, strata)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)


@pytest.mark.parametrize("k", [1, None, 150, 600])
def test_neighbours_are_the_same_to_the_last(pair, samples, k):
    assert_same_neighbors(*pair, samples[3], k=k)


@pytest.mark.parametrize("k", [1, None, 40])
def test_neighbours_within_strata_are_the_same_to_the_last(pair_with_strata, samples, k):
    assert_same_neighbors(*pair_with_strata, *samples[3:], k=k)


def assert_same_predictions(sharded, whole, queries, lazy, **strata):
    """Compare what all methods give, all at once: a search in shards takes long."""
    found, expected = [], []
    for method, arguments in CALLS.items():
        for estimator, X, results in ((sharded, lazy, found), (whole, queries, expected)):
            result = getattr(estimator, method)(X, **strata, **arguments)
            results += result if isinstance(result, tuple) else [result]
    assert_same(tuple(found), tuple(expected))


def test_predictions(pair, samples, in_blocks):
    queries = samples[3]
    assert_same_predictions(*pair, queries, in_blocks(queries))


def test_predictions_with_strata(pair_with_strata, samples, in_blocks):
    queries, strata = samples[3:]
    assert_same_predictions(*pair_with_strata, queries, in_blocks(queries), strata=strata)


def test_what_is_known_after_a_fit(pair, pair_with_strata):
    for sharded, whole in (pair, pair_with_strata):
        np.testing.assert_array_equal(sharded.bin_edges_, whole.bin_edges_)
        np.testing.assert_array_equal(sharded.strata_, whole.strata_)
        assert sharded.n_samples_fit_ == whole.n_samples_fit_
        assert sharded.n_features_in_ == whole.n_features_in_
        assert sharded.recall_ == 1


def test_duplicates_in_several_shards_are_taken_by_their_rows(client, monkeypatch):
    monkeypatch.setattr(module, "_MERGED_AT_ONCE", 2)  # in three steps
    rng = np.random.default_rng(1)
    latents = np.tile(rng.integers(0, 3, size=(50, 2)), (6, 1)).astype(np.float32)
    errors = rng.random((300, 4))
    settings = LTAUEstimator(7, scaling="none", index="flat")
    sharded = ShardedEstimator(settings, client).fit(
        da.from_array(latents, chunks=(50, 2)), da.from_array(errors, chunks=(50, 4))
    )
    queries = da.from_array(latents[:50], chunks=(25, 2))
    _, rows = dask.compute(*sharded.kneighbors(queries))
    squared = ((latents[:50, None] - latents) ** 2).sum(axis=2)
    expected = np.lexsort((np.broadcast_to(np.arange(300), squared.shape), squared), axis=1)
    np.testing.assert_array_equal(rows, expected[:, :7])
    whole = LTAUEstimator(7, scaling="none", index="flat").fit(latents, errors)
    scores = sharded.ood_score(queries).compute()
    np.testing.assert_allclose(scores, whole.ood_score(latents[:50]), rtol=1e-6)


def test_real_atoms(acac, client):
    """Neighbours of atoms of a molecule, within their elements, and predictions of them."""
    train, new = acac["train"], acac["MD_600K"]
    latents, errors, elements = (train[name] for name in ("latents", "errors", "atomic_numbers"))
    queries, strata = new["latents"][:300], new["atomic_numbers"][:300]
    sharded = ShardedEstimator(client=client).fit(
        da.from_array(latents, chunks=(1500, -1)),
        da.from_array(errors, chunks=(1500, -1)),
        elements,
    )
    whole = LTAUEstimator(index="flat").fit(latents, errors, elements)
    assert_same_neighbors(sharded, whole, queries, strata)
    found = sharded.predict(da.from_array(queries, chunks=(100, -1)), strata)
    np.testing.assert_allclose(found, whole.predict(queries, strata), rtol=1e-5)


def test_an_approximate_index_of_each_shard_reaches_its_recall(samples, client):
    latents, errors, _, queries, _ = samples
    settings = LTAUEstimator(index="ivf", recall=0.9, random_state=0, distance_scaling=0.0)
    sharded = ShardedEstimator(settings, client).fit(
        da.from_array(latents, chunks=(200, 5)), da.from_array(errors, chunks=(200, 30))
    )
    assert 0.9 <= sharded.recall_ <= 1
    _, rows = dask.compute(*sharded.kneighbors(da.from_array(queries, chunks=(150, 5))))
    _, exact = LTAUEstimator(index="flat").fit(latents, errors).kneighbors(queries)
    found = np.mean([len(np.intersect1d(*pair)) / 10 for pair in zip(rows, exact, strict=True)])
    assert found > 0.85


def test_a_log_is_fitted_where_the_workers_are(samples, client, tmp_path):
    latents, errors, _, queries, _ = samples
    with ErrorLog(tmp_path, len(errors)) as log:
        for epoch in np.nan_to_num(errors).T:
            log.record(np.arange(600), epoch)
            log.end_epoch()
        sharded = ShardedEstimator(client=client).fit(da.from_array(latents, chunks=(110, 5)), log)
    whole = LTAUEstimator().fit(latents, log)
    found = sharded.predict_pdf(da.from_array(queries, chunks=(60, 5)))
    np.testing.assert_allclose(found, whole.predict_pdf(queries), rtol=1e-5, atol=1e-9)


def test_blocks_without_samples(samples, client):
    latents, errors, *_ = samples
    empty = da.from_array(latents[:0], chunks=(0, 5))
    padded = da.concatenate([empty, da.from_array(latents, chunks=(300, 5)), empty])
    sharded = ShardedEstimator(client=client).fit(padded, da.from_array(errors, chunks=600))
    whole = LTAUEstimator().fit(latents, errors)
    assert_same_neighbors(sharded, whole, latents[:50])
    found = sharded.predict_summary(padded)
    assert_same(found, whole.predict_summary(latents))


def test_a_stratum_as_large_as_its_neighbourhood(samples, client):
    """Its samples have fewer neighbours of their own."""
    latents, errors, _, queries, _ = samples
    strata = np.arange(600) < 590
    sharded = ShardedEstimator(client=client).fit(
        da.from_array(latents, chunks=(299, 5)), da.from_array(errors, chunks=(299, 30)), strata
    )
    whole = LTAUEstimator().fit(latents, errors, strata)
    few = np.zeros(150, bool)
    found = sharded.ood_score(da.from_array(queries, chunks=(60, 5)), few)
    np.testing.assert_allclose(found, whole.ood_score(queries, few), rtol=1e-5)
    with pytest.raises(ValueError, match="n_neighbors = 11 training samples"):
        dask.compute(*sharded.kneighbors(da.from_array(queries, chunks=(60, 5)), 11, few))


def test_too_few_samples(samples, client):
    latents, errors, *_ = samples
    arrays = da.from_array(latents[:20], chunks=(9, 5)), da.from_array(errors[:20], chunks=(9, 30))
    with pytest.raises(ValueError, match="n_neighbors = 21 training samples, got n_samples = 20"):
        ShardedEstimator(LTAUEstimator(21), client).fit(*arrays)
    with pytest.raises(ValueError, match="in stratum True, got n_samples = 9"):
        ShardedEstimator(client=client).fit(*arrays, np.arange(20) < 9)
    one = ShardedEstimator(LTAUEstimator(1, distance_scaling=0.0), client)
    one.fit(arrays[0][:1], arrays[1][:1])
    with pytest.raises(ValueError, match="besides the sample itself, got n_samples = 0"):
        one.ood_score(arrays[0]).compute()


def test_what_is_wrong_with_values(pair_with_strata, samples, client, in_blocks):
    latents, errors, _, queries, _ = samples
    bad = latents.copy()
    bad[77, 2] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        ShardedEstimator(client=client).fit(in_blocks(bad), in_blocks(errors))
    sharded, _ = pair_with_strata
    with pytest.raises(ValueError, match="Stratum 7 was not seen at fit, which saw 1, 6, 8"):
        sharded.predict(in_blocks(queries), np.full(150, 7)).compute()
    with pytest.raises(ValueError, match="fitted with strata"):
        sharded.predict(in_blocks(queries))
    with pytest.raises(ValueError, match="Expected latents of 5 features, got 4"):
        sharded.predict(in_blocks(queries[:, :4]))


def test_it_is_fitted_before_it_predicts(client, samples, in_blocks):
    with pytest.raises(NotFittedError, match="call fit"):
        ShardedEstimator(client=client).predict(in_blocks(samples[3]))


def test_settings_are_not_fitted(pair):
    assert not hasattr(pair[0].estimator, "fitted_")


def test_predictions_outlive_the_estimator(samples, in_blocks, client):
    latents, errors, _, queries, _ = samples
    whole = LTAUEstimator().fit(latents, errors)
    predictor = ShardedEstimator(client=client)
    predictor.fit(in_blocks(latents, 150), in_blocks(errors, 150))
    lazy = predictor.predict(in_blocks(queries))
    del predictor
    gc.collect()
    np.testing.assert_allclose(lazy.compute(), whole.predict(queries), rtol=1e-5)


def test_workers_killed_in_the_middle(own_client, samples, in_blocks, loaded_slowly, kill):
    """One of them, and then all: their shards are made again."""
    latents, errors, _, queries, _ = samples
    sharded = ShardedEstimator(client=own_client)
    sharded.fit(in_blocks(latents, 110), in_blocks(errors, 110))
    slow = loaded_slowly(in_blocks(queries, rows=10), 0.15)
    lazy = own_client.persist(sharded.predict(slow))
    pieces = own_client.futures_of(lazy)
    next(as_completed(pieces, loop=own_client.loop))
    kill(own_client, 1)
    assert not all(future.done() for future in pieces)  # it was in the middle
    expected = LTAUEstimator().fit(latents, errors).predict(queries)
    np.testing.assert_allclose(lazy.compute(scheduler=own_client), expected, rtol=1e-5)
    kill(own_client, 2)
    np.testing.assert_allclose(lazy.compute(scheduler=own_client), expected, rtol=1e-5)
