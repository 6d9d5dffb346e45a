"""The summary that is traced: the same numbers as the estimator's own."""

import numpy as np
import pytest

pytest.importorskip("metatomic_ase", reason="pip install 'ltau[metatomic]'")

import torch

from ltau import LTAUEstimator
from ltau.adapters.metatomic._search import ExactSummary


def drawn(seed, n):
    """Latents, of which two directions hardly vary, errors and elements."""
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(n, 6)) * [1, 1, 1, 1, 1e-3, 1e-3] + 3.0
    numbers = rng.choice([29, 79], size=n, p=[0.9, 0.1])
    errors = rng.exponential(np.exp(latents[:, :1] - 3), size=(n, 30))
    return latents.astype(np.float32), errors, numbers


@pytest.mark.parametrize("strata", [False, True], ids=["all elements", "by element"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_prototypes": 30},  # of one element fewer than there are neighbours
        {"scaling": "none", "distance_scaling": 0.0},
        {"scaling": "standardize", "index": "ivf", "recall": 1.0},  # in an order of its own
        {"weights": "distance", "distance_scaling": 1.0, "n_prototypes": 60},
        {"twice": True},
        {"held_out": True},
    ],
    ids=["defaults", "prototypes", "paper", "ivf", "weights", "coinciding", "calibrated"],
)
def test_it_is_that_of_the_estimator(strata, parameters):
    parameters = dict(parameters)
    held_out, twice = parameters.pop("held_out", False), parameters.pop("twice", False)
    latents, errors, numbers = drawn(0, 400)
    if twice:
        latents[100:200], numbers[100:200] = latents[:100], numbers[:100]
    estimator = LTAUEstimator(10, **parameters)
    estimator.fit(latents, errors, numbers if strata else None)
    queries, observed, asked = drawn(1, 50)
    queries[:20, 0] += np.arange(20)  # ever farther away
    queries[20:30], asked[20:30] = latents[:10], numbers[:10]
    classes = asked if strata else None
    if held_out:
        estimator.calibrate(queries, observed[:, 0], classes)
    summary = ExactSummary(estimator, 0.83, 1000)
    example = torch.zeros(2, 6), torch.zeros(2, dtype=torch.int64)
    traced = torch.jit.trace(summary, example, check_trace=False)
    of = torch.from_numpy(np.searchsorted([29, 79], asked) * strata)
    for some in (slice(0, 50), slice(0, 1), slice(20, 50), slice(0, 0)):
        found = traced(torch.from_numpy(queries[some]), of[some]).numpy()
        expected = (
            estimator.predict_summary(queries[some], 0.83, classes[some] if strata else None)
            if len(queries[some])
            else np.zeros((3, 0))
        )
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("strata", [False, True])
def test_a_trace_names_no_device(strata):
    latents, errors, numbers = drawn(0, 60)
    estimator = LTAUEstimator(3).fit(latents, errors, numbers if strata else None)
    example = torch.zeros(2, 6), torch.zeros(2, dtype=torch.int64)
    traced = torch.jit.trace(ExactSummary(estimator, 0.9, 1000), example, check_trace=False)
    assert "Device = prim::Constant" not in str(traced.inlined_graph)


def test_many_samples_are_refused():
    latents, errors, _ = drawn(0, 60)
    estimator = LTAUEstimator(3).fit(latents, errors)
    with pytest.raises(ValueError, match="at most 50 samples to compile, got 60: fit one with n_"):
        ExactSummary(estimator, 0.9, 50)
