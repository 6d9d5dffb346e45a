"""Batches of a search against searches of single rows."""

import numpy as np
import pytest

from ltau import LTAUEstimator
from ltau._fitted import search
from ltau._fitted.search import LatentSearch


@pytest.mark.parametrize("strata", [None, np.arange(300) % 2])
def test_a_sample_far_from_all_does_not_widen_those_beside_it(monkeypatch, strata):
    monkeypatch.setattr(search, "_MOST_FOUND", 2000)
    rng = np.random.default_rng(0)
    latents, errors = rng.normal(size=(300, 2)), rng.random((300, 8))
    estimator = LTAUEstimator(5, index="flat").fit(latents, errors, strata)
    queries = rng.normal(size=(300, 2))
    queries[[7, 123]] = 1e9  # from where all are equally near
    found = list(LatentSearch(estimator.fitted_.index, queries, strata, 5, 100, None)())
    assert sum(len(each.distances) for each in found) == 300
    most = 2000 if strata is None else 2 * 2000  # in each stratum
    assert max(each.distances.size for each in found) <= most
    assert max(each.distances.shape[1] for each in found) == (300 if strata is None else 150)
    alone = [
        estimator.predict(queries[i : i + 1], None if strata is None else strata[i : i + 1])[0]
        for i in range(300)
    ]
    np.testing.assert_allclose(estimator.predict(queries, strata), alone, rtol=1e-12)


def test_a_single_sample_finds_all_that_are_equally_near(monkeypatch):
    monkeypatch.setattr(search, "_MOST_FOUND", 100)
    latents = np.random.default_rng(0).normal(size=(300, 2))
    estimator = LTAUEstimator(5, index="flat").fit(latents, np.ones((300, 8)))
    (found,) = LatentSearch(estimator.fitted_.index, np.full((1, 2), 1e9), None, 5, 100, None)()
    assert sorted(found.numbers[0].tolist()) == list(range(300))
