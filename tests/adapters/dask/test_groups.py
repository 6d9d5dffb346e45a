"""Groups of training samples in shards, against one process that has all of them."""

import dask
import dask.array as da
import numpy as np
import pytest

from ltau import LTAUEstimator
from ltau.adapters.dask import ShardedEstimator


def trajectories(n_groups=30, n_steps=10):
    """Samples whose nearest are of their own group, a few in the places of others."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(n_groups), n_steps)
    latents = rng.normal(size=(n_groups, 3))[groups] + 0.05 * rng.normal(size=(len(groups), 3))
    latents[-40:-30] = latents[:10]  # places of two groups, in shards far apart
    latents[57], latents[63] = latents[50], latents[51]  # of one group, and of two
    latents[47] = latents[42]  # of one group, in two shards of 45
    latents[95] = latents[105]  # of two groups, in two shards of 100
    return latents.astype(np.float32), groups


LATENTS, GROUPS = trajectories()
RNG = np.random.default_rng(1)
ERRORS = RNG.exponential(size=(300, 8))
TARGETS = LATENTS @ RNG.normal(size=(3, 2)) + RNG.normal(size=(300, 2))
QUERIES = np.concatenate([LATENTS[::7], RNG.normal(size=(30, 3)) * 2]).astype(np.float32)
Y_PRED = RNG.normal(size=(len(QUERIES), 2)) + 3
STRATA = np.arange(300) % 2


def shards(client, *, chunks, strata=None, groups=GROUPS, targets=None, **parameters):
    return ShardedEstimator(LTAUEstimator(**parameters), client).fit(
        da.from_array(LATENTS, chunks=(chunks, 3)),
        da.from_array(ERRORS, chunks=(90, 8)),
        strata,
        groups=groups,
        targets=targets,
    )


@pytest.mark.parametrize("chunks", [100, 45, (60, 0, 40, 200), 300])
@pytest.mark.parametrize(("k", "strata"), [(1, STRATA), (8, None)])
def test_scores_and_predictions_are_those_of_one_process(client, chunks, k, strata):
    settings = {"n_neighbors": k, "index": "flat"}
    asked = None if strata is None else np.resize([0, 1], len(QUERIES))
    whole = LTAUEstimator(**settings).fit(LATENTS, ERRORS, strata, groups=GROUPS, targets=TARGETS)
    found = shards(client, chunks=chunks, strata=strata, targets=TARGETS, **settings)
    queries = da.from_array(QUERIES, chunks=(40, 3))
    scores, predicted = dask.compute(
        found.ood_score(queries, asked), found.predict(queries, asked, y_pred=Y_PRED)
    )
    np.testing.assert_allclose(scores, whole.ood_score(QUERIES, asked), rtol=1e-4)
    expected = whole.predict(QUERIES, asked, y_pred=Y_PRED)
    np.testing.assert_allclose(predicted, expected, rtol=1e-4)


def test_groups_make_a_difference(client):
    """Or the test above would say nothing of them."""
    queries = da.from_array(QUERIES, chunks=(40, 3))
    aware, blind = (
        shards(client, chunks=100, groups=groups, index="flat").ood_score(queries).compute()
        for groups in (GROUPS, None)
    )
    assert np.median(blind) > 2 * np.median(aware)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_approximate_indices_look_beyond_a_group(client, kind):
    found = shards(client, chunks=150, index=kind, random_state=0)
    whole = LTAUEstimator(index="flat").fit(LATENTS, ERRORS, groups=GROUPS)
    scores = found.ood_score(da.from_array(QUERIES, chunks=(40, 3))).compute()
    assert np.abs(scores / whole.ood_score(QUERIES) - 1).mean() < 0.02


def test_names_serve_as_well_as_numbers(client):
    queries = da.from_array(QUERIES, chunks=(40, 3))
    names = da.from_array(np.array([f"run {group}" for group in GROUPS]), chunks=70)
    one, other = (
        shards(client, chunks=100, groups=groups).ood_score(queries).compute()
        for groups in (GROUPS, names)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize(
    ("groups", "strata", "message"),
    [
        (np.zeros(300, int), None, "at least 2 groups, got 300 that are all of group 0"),
        (GROUPS, GROUPS == 3, "at least 2 groups in stratum True, got 10 .* group 3"),
        (GROUPS[:-1], None, r"groups of shape \(300,\), got \(299,\)"),
        (GROUPS.astype(float), None, "groups that are integers or strings, got float64"),
        ([None] * 300, None, "a label for every sample, got 300 missing"),
    ],
)
def test_groups_that_are_none_are_refused(client, groups, strata, message):
    with pytest.raises(ValueError, match=message):
        shards(client, chunks=100, groups=groups, strata=strata)
