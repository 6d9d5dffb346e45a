"""Targets and groups on a cluster, against one process that has all samples."""

import dask
import dask.array as da
import numpy as np
import pytest

from ltau import LTAUEstimator
from ltau.adapters.dask import DaskEstimator, ShardedEstimator, fit

CALLS = {
    "predict": {},
    "predict_pdf": {},
    "predict_cdf": {"tolerance": [0.5, 2.0]},
    "predict_quantile": {"q": 0.9},
    "predict_summary": {"level": 0.5},
}


@pytest.fixture(scope="module")
def outputs(samples):
    """Targets of the training samples, and predictions of the queries: two outputs each."""
    latents, *_, queries, _ = samples
    rng = np.random.default_rng(1)
    slopes = rng.normal(size=(5, 2))
    return latents @ slopes, queries @ slopes + 3 * rng.normal(size=(150, 2))


@pytest.fixture(scope="module", params=[0, 1], ids=["one output", "two outputs"])
def given(request, outputs):
    """The first of the outputs as a vector, or both."""
    targets, y_pred = outputs
    return outputs if request.param else (targets[:, 0], y_pred[:, 0])


@pytest.fixture(scope="module")
def whole(samples, given):
    latents, errors, *_ = samples
    return LTAUEstimator().fit(latents, errors, targets=given[0])


@pytest.fixture(scope="module")
def sharded(samples, given, client):
    latents, errors, *_ = samples
    return ShardedEstimator(client=client).fit(
        da.from_array(latents, chunks=(110, 5)),
        da.from_array(errors, chunks=(110, 30)),
        targets=given[0],
    )


def assert_same(found, expected, rtol=1e-5):
    several = isinstance(expected, tuple)
    lazy, expected = (found, expected) if several else ((found,), (expected,))
    for array, computed, values in zip(lazy, dask.compute(*lazy), expected, strict=True):
        assert array.shape == values.shape
        assert array.dtype == computed.dtype == values.dtype
        np.testing.assert_allclose(computed, values, rtol=rtol)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("lazily", [False, True])
def test_blocks_are_compared_as_by_the_estimator(
    samples, given, whole, client, in_blocks, method, lazily
):
    queries, y_pred = samples[3], given[1]
    chunks = (70, *y_pred.shape[1:])
    asked = da.from_array(y_pred, chunks=chunks) if lazily else y_pred
    found = getattr(DaskEstimator(whole, client), method)(
        in_blocks(queries), y_pred=asked, **CALLS[method]
    )
    expected = getattr(whole, method)(queries, y_pred=y_pred, **CALLS[method])
    assert_same(found, expected, rtol=1e-6)


@pytest.mark.parametrize("lazily", [False, True])
def test_shards_are_compared_as_in_one_process(samples, given, whole, sharded, in_blocks, lazily):
    queries, y_pred = samples[3], given[1]
    chunks = (70, *y_pred.shape[1:])
    asked = da.from_array(y_pred, chunks=chunks) if lazily else y_pred
    found, expected = [], []
    for method, arguments in CALLS.items():  # all at once: a search in shards takes long
        lazy = getattr(sharded, method)(in_blocks(queries), y_pred=asked, **arguments)
        found += lazy if isinstance(lazy, tuple) else [lazy]
        known = getattr(whole, method)(queries, y_pred=y_pred, **arguments)
        expected += known if isinstance(known, tuple) else [known]
    assert_same(tuple(found), tuple(expected))


def test_disagreement_makes_a_difference(samples, given, whole):
    """Or the tests above would say nothing of it."""
    queries, y_pred = samples[3], given[1]
    plain = LTAUEstimator().fit(samples[0], samples[1])
    assert (whole.predict(queries, y_pred=y_pred) > 1.05 * plain.predict(queries)).any()


def test_intervals_and_columns(samples, outputs, client, in_blocks):
    latents, errors, _, queries, _ = samples
    targets, y_pred = outputs[0][:, 0], outputs[1][:, 0]
    whole = LTAUEstimator().fit(latents, errors, targets=targets)
    shards = ShardedEstimator(client=client).fit(
        in_blocks(latents, 150), in_blocks(errors, 150), targets=in_blocks(targets[:, None], 90)
    )
    expected = whole.predict_interval(queries, y_pred, 0.8)
    for lazy in (DaskEstimator(whole, client), shards):
        for given in (y_pred, y_pred[:, None], in_blocks(y_pred, 50)):
            assert_same(lazy.predict_interval(in_blocks(queries), given, 0.8), expected)


def test_distances_take_no_predictions(samples, whole, sharded, in_blocks):
    queries = samples[3]
    assert_same(sharded.ood_score(in_blocks(queries)), whole.ood_score(queries))
    assert_same(sharded.kneighbors(in_blocks(queries)), whole.kneighbors(queries))


def test_shards_compare_within_strata(samples, outputs, client, in_blocks):
    latents, errors, strata, queries, asked = samples
    targets, y_pred = outputs
    whole = LTAUEstimator().fit(latents, errors, strata, targets=targets)
    shards = ShardedEstimator(client=client).fit(
        in_blocks(latents, 110), in_blocks(errors, 110), strata, targets=targets
    )
    found = shards.predict(in_blocks(queries), asked, y_pred=y_pred)
    assert_same(found, whole.predict(queries, asked, y_pred=y_pred))


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 7])
def test_a_place_in_several_shards_has_the_mean_of_their_targets(client, weights, k):
    rng = np.random.default_rng(1)
    places = rng.normal(size=(50, 2)).astype(np.float32)
    latents = np.concatenate([places, places[:30], places[10:40], places[:40]])
    errors, targets = np.ones((150, 4)) * rng.random((150, 1)), rng.normal(size=(150, 2))
    queries = np.concatenate([places, 3 * places[:10]])
    y_pred = rng.normal(size=(60, 2)) + 4
    settings = LTAUEstimator(k, weights=weights, index="flat")
    shards = ShardedEstimator(settings, client).fit(
        da.from_array(latents, chunks=((50, 30, 0, 30, 40), 2)),
        da.from_array(errors, chunks=(70, 4)),
        targets=targets,
    )
    whole = LTAUEstimator(k, weights=weights, index="flat").fit(latents, errors, targets=targets)
    found = shards.predict(da.from_array(queries, chunks=(25, 2)), y_pred=y_pred).compute()
    np.testing.assert_allclose(found, whole.predict(queries, y_pred=y_pred), rtol=1e-5)


@pytest.mark.parametrize("lazily", [False, True])
def test_a_fit_passes_groups_and_targets_on(samples, outputs, client, in_blocks, lazily):
    latents, errors, strata, queries, asked = samples
    targets, y_pred = outputs
    groups = np.arange(600) // 20
    lazy = in_blocks if lazily else np.asarray
    found = fit(
        LTAUEstimator(),
        lazy(latents),
        in_blocks(errors),
        lazy(strata),
        client,
        groups=lazy(groups),
        targets=lazy(targets),
    )
    whole = LTAUEstimator().fit(latents, errors, strata, groups=groups, targets=targets)
    plain = LTAUEstimator().fit(latents, errors, strata, targets=targets)
    expected = whole.predict(queries, asked, y_pred=y_pred)
    np.testing.assert_array_equal(found.predict(queries, asked, y_pred=y_pred), expected)
    assert (expected != plain.predict(queries, asked, y_pred=y_pred)).any()


@pytest.fixture(params=["blocks", "shards"])
def lazy(request, whole, sharded, client):
    return DaskEstimator(whole, client) if request.param == "blocks" else sharded


@pytest.mark.parametrize("method", CALLS)
def test_predictions_are_asked_for_where_there_are_targets(lazy, samples, in_blocks, method):
    with pytest.raises(ValueError, match="was fitted with targets: give y_pred"):
        getattr(lazy, method)(in_blocks(samples[3]), **CALLS[method])


@pytest.mark.parametrize("method", CALLS)
def test_predictions_are_refused_where_there_are_none(samples, client, in_blocks, method):
    latents, errors, _, queries, _ = samples
    plain = DaskEstimator(LTAUEstimator().fit(latents, errors), client)
    with pytest.raises(ValueError, match="was fitted without targets: predict without y_pred"):
        getattr(plain, method)(in_blocks(queries), y_pred=np.zeros(150), **CALLS[method])


def test_predictions_of_other_shapes_are_refused(lazy, samples, given, in_blocks):
    queries, y_pred = in_blocks(samples[3]), given[1]
    shape = r"\(150,\)" if y_pred.ndim == 1 else r"\(150, 2\)"
    for wrong in (y_pred[1:], np.zeros((150, 3)), in_blocks(np.zeros((150, 3))), np.zeros(())):
        with pytest.raises(ValueError, match=f"Expected y_pred of shape {shape}, got shape"):
            lazy.predict(queries, y_pred=wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_not_finite_are_refused(lazy, samples, given, in_blocks, value):
    queries, y_pred = in_blocks(samples[3]), given[1].copy()
    y_pred[77] = value
    with pytest.raises(ValueError, match="y_pred without NaN or infinite values"):
        lazy.predict(queries, y_pred=y_pred)
    with pytest.raises(ValueError, match="y_pred without NaN or infinite values"):
        lazy.predict(queries, y_pred=in_blocks(y_pred)).compute()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[1:], r"targets of shape \(600,\) or \(600, n_outputs\), got shape \(599, 2\)"),
        (lambda t: t[:, :, None], r"got shape \(600, 2, 1\)"),
        (lambda t: t[:, :0], r"got shape \(600, 0\)"),
        (lambda t: np.where(t > 3, np.nan, t), "targets without NaN or infinite values"),
        (lambda t: np.where(t > 3, np.inf, t), "targets without NaN or infinite values"),
        (lambda t: t.astype(str), "targets that are real numbers, got"),
    ],
)
@pytest.mark.parametrize("lazily", [False, True])
def test_targets_that_are_none_are_refused(
    samples, outputs, client, in_blocks, change, message, lazily
):
    latents, errors, *_ = samples
    wrong = change(outputs[0])
    given = da.from_array(wrong, chunks=(90, *wrong.shape[1:])) if lazily and wrong.size else wrong
    with pytest.raises(ValueError, match=message):
        ShardedEstimator(client=client).fit(
            in_blocks(latents, 150), in_blocks(errors, 150), targets=given
        )
