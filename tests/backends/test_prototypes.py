"""Prototypes, which every backend takes for samples: the answers of the estimator itself."""

import numpy as np
import pytest

from ltau import LTAUEstimator

from .backends import backends
from .cases import CASES

NAMES = ["ivf", "hnsw", "torch", "cuda", "compiled", "dask blocks"]  # shards have none


TITLES = ["benign", "ties in errors", "equal latents", "strata"]
WITH_TARGETS = ["targets, defaults", "targets of several outputs", "targets, strata"]


@pytest.mark.parametrize("title", TITLES + WITH_TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_answers_of_prototypes_are_those_of_the_estimator(name, title, client):
    case, backend = CASES[title], backends(client)[name]
    if case.targets is not None and name == "compiled":
        pytest.skip("a compiled model does not know targets")
    parameters = {"n_neighbors": 4, "n_prototypes": 30, "burn_in": 0, "n_bins": 25, "n_jobs": 1}
    if title == "equal latents":
        parameters["n_prototypes"] = 12  # as many as there are places
    whole, other = (
        LTAUEstimator(**parameters | settings).fit(
            case.latents, case.errors, case.strata, targets=case.targets
        )
        for settings in ({"index": "flat"}, backend.settings())
    )
    levels = case.levels
    asked = case.queries, case.asked, levels, None, case.y_pred
    found = backend.answer(other, *asked)
    expected = backends(None)["flat"].answer(whole, *asked)
    for array, values in zip(found, expected, strict=True):
        np.testing.assert_allclose(array, values, rtol=2e-4, atol=1e-9)
