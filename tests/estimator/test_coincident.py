"""Training samples in one place, and in nearly one; the order of the training samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import euclidean_distances

from ltau import LTAUEstimator
from ltau.adapters.sklearn import LTAURegressor

KINDS = ["flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq", "auto"]


def places(n=2000):
    """Four places of about 500 samples each, with errors larger along the first feature."""
    rng = np.random.default_rng(0)
    latents = rng.integers(0, 2, size=(n, 2)).astype(float)
    final = np.abs(rng.normal(size=n)) * (1 + 2 * latents[:, 0])
    errors = np.abs(final[:, None] * (1 + 0.05 * rng.normal(size=(n, 20))))
    return latents, errors, final


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [1, -1], ids=["ascending", "descending"])
def test_samples_sorted_by_error_do_not_count_by_their_rows(kind, sign):
    latents, errors, final = places()
    order = np.argsort(sign * final)
    queries = np.unique(latents, axis=0)
    true = [errors[(latents == query).all(axis=1), 7:].mean() for query in queries]  # burnt in
    settings = {"index": kind, "distance_scaling": 0.0}
    estimator = LTAUEstimator(**settings).fit(latents[order], errors[order])
    np.testing.assert_allclose(estimator.predict(queries), true, rtol=0.02)  # of bins
    shuffled = LTAUEstimator(**settings).fit(latents, errors)
    several = np.repeat(queries, 20, axis=0)
    for ask in (shuffled.predict, estimator.predict):
        np.testing.assert_allclose(ask(several)[::20], ask(queries), rtol=1e-12)
    np.testing.assert_allclose(estimator.predict(queries), shuffled.predict(queries), rtol=1e-12)


def test_a_regressor_on_categories_covers_whatever_the_order():
    latents, _, _ = places()
    rng = np.random.default_rng(1)
    y = latents.sum(axis=1) + (1 + 2 * latents[:, 0]) * rng.normal(size=len(latents))
    order = np.argsort(y)
    model = LTAURegressor(random_state=0).fit(latents[order], y[order])
    low, high = model.predict_interval(latents, 0.9).T
    assert np.mean((low <= y) & (y <= high)) == pytest.approx(0.9, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["uniform", "distance"]))
def test_a_shuffled_training_set_predicts_the_same(seed, weights):
    """On a lattice, where every query has many neighbours as near as the last."""
    rng = np.random.default_rng(seed)
    latents = rng.integers(0, 4, size=(120, 2)).astype(float)
    errors = rng.exponential(size=(120, 6))
    queries = rng.integers(0, 8, size=(10, 2)) / 2
    order = rng.permutation(120)
    parameters = {"n_neighbors": 7, "index": "flat", "scaling": "none", "weights": weights}
    one = LTAUEstimator(**parameters).fit(latents, errors)
    other = LTAUEstimator(**parameters).fit(latents[order], errors[order])
    for name in ("predict", "ood_score"):
        ask = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(ask[0](queries), ask[1](queries), rtol=1e-9)
    np.testing.assert_allclose(
        one.predict_quantile(queries, [0.1, 0.9]), other.predict_quantile(queries, [0.1, 0.9])
    )


def collinear(n=100, times=15):
    """Samples that are there many times, half of whose features follow from the others."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(n, 16))
    base[:, 8:] = base[:, :8] @ rng.normal(size=(8, 8)) + 1e-3 * rng.normal(size=(n, 8))
    base = base.astype(np.float32)
    return base, np.repeat(base, times, axis=0), np.abs(rng.normal(size=(n * times, 20)))


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-6])
def test_what_is_nearly_a_training_sample_scores_about_1(noise):
    base, latents, errors = collinear()
    estimator = LTAUEstimator().fit(latents, errors)
    rng = np.random.default_rng(1)
    queries = (base + noise * rng.normal(size=base.shape)).astype(np.float32)
    scores = estimator.ood_score(queries)
    single = np.concatenate([estimator.ood_score(queries[i : i + 1]) for i in range(len(queries))])
    np.testing.assert_allclose(single, scores, rtol=1e-3)
    assert scores.min() > 0.5
    assert scores.max() < 2
    estimator.set_params(distance_scaling=0)  # the score alone moves it
    assert estimator.predict(queries).mean() == pytest.approx(errors.mean(), rel=0.1)


@pytest.mark.parametrize("n_crystals", [0, 1, 5])
@pytest.mark.parametrize("rattle", [0.0, 1e-4, 1e-3, 1e-2])
def test_a_perfect_crystal_among_rattled_ones_makes_nothing_infinitely_far(n_crystals, rattle):
    """Atoms that are equal by symmetry: 32 rows a crystal, equal but for rounding."""
    rng = np.random.default_rng(0)
    thermal = (
        1 + rng.normal(size=(30 * 32, 4)) * np.repeat(np.linspace(0.02, 0.15, 30), 32)[:, None]
    )
    crystals = np.repeat(1 + 0.1 * np.arange(n_crystals)[:, None], 32, axis=0) * np.ones((1, 4))
    crystals *= 1 + 1e-15 * rng.normal(size=crystals.shape)
    latents = np.concatenate([crystals, thermal])
    errors = np.abs(rng.normal(size=(len(latents), 10))) * 0.05
    estimator = LTAUEstimator().fit(latents, errors)
    queries = 1 + rattle * rng.normal(size=(32, 4))
    assert estimator.ood_score(queries).max() < 3
    assert estimator.predict(queries).max() < 2 * errors.mean()


def test_neighbours_are_rows_of_the_training_set():
    """Of samples in one place the first are named."""
    rng = np.random.default_rng(0)
    latents = rng.integers(0, 5, size=(200, 2)).astype(np.float32)
    queries = rng.normal(2, 1, size=(30, 2)).astype(np.float32)
    estimator = LTAUEstimator(9, scaling="none").fit(latents, rng.random((200, 3)))
    distances, rows = estimator.kneighbors(queries)
    exact = euclidean_distances(queries.astype(float), latents)
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :9], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(exact, rows, axis=1), distances, rtol=1e-5)
    assert all(len(set(found)) == 9 for found in rows.tolist())


def test_every_training_sample_has_its_own_weight():
    rng = np.random.default_rng(0)
    latents = np.repeat(rng.normal(size=(20, 2)), 5, axis=0)
    errors = rng.exponential(size=(100, 8))
    apart = LTAUEstimator(burn_in=0).fit(rng.normal(size=(100, 2)), errors)
    together = LTAUEstimator(burn_in=0).fit(latents, errors)
    np.testing.assert_array_equal(together.sample_weight(), apart.sample_weight())


def test_a_saved_estimator_knows_what_it_merged(tmp_path):
    _, latents, errors = collinear(30, 4)
    estimator = LTAUEstimator(5).fit(latents, errors)
    estimator.save(tmp_path / "model.ltau")
    for mmap in (False, True):
        loaded = LTAUEstimator.load(tmp_path / "model.ltau", mmap=mmap)
        assert loaded.n_samples_fit_ == 120
        for name in ("predict", "predict_pdf", "ood_score", "predict_ood"):
            found = getattr(loaded, name)(latents), getattr(estimator, name)(latents)
            np.testing.assert_array_equal(*found)
        np.testing.assert_array_equal(
            loaded.kneighbors(latents)[1], estimator.kneighbors(latents)[1]
        )
        np.testing.assert_array_equal(loaded.sample_weight(), estimator.sample_weight())
