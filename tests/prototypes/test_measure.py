"""How far members lie from prototypes, against prototypes made anew without them."""

import numpy as np
import pytest

from ltau._errors.bins import ErrorBins
from ltau._errors.sources import open_errors
from ltau._fitted.samples import TrainingSamples
from ltau._fitted.targets import mean_targets
from ltau._prototypes.condense import condense
from ltau._prototypes.measure import measure_members
from ltau.neighbors import LatentIndex, scale_strata

K = 3
RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(24), 5)
LATENTS = RNG.normal(size=(24, 2))[GROUPS] + 0.3 * RNG.normal(size=(120, 2))
TARGETS = LATENTS @ [[1.0, 0.0], [2.0, 1.0]]


def by_hand(owners, n_prototypes, groups):
    """Make every prototype anew without what is left out, and measure each member."""
    distances, disagreements = np.zeros(n_prototypes), np.zeros(n_prototypes)
    for row, latent in enumerate(LATENTS):
        left_out = groups == groups[row]
        near = []
        for prototype in range(n_prototypes):
            rest = (owners == prototype) & ~left_out
            if rest.any():
                mean = TARGETS[rest].mean(axis=0)
                near.append((np.linalg.norm(latent - LATENTS[rest].mean(axis=0)), *mean))
        nearest = np.array(sorted(near)[:K])
        distances[owners[row]] += nearest[:, 0].mean()
        disagreements[owners[row]] += np.linalg.norm(TARGETS[row] - nearest[:, 1:].mean(axis=0))
    sizes = np.bincount(owners)
    return distances / sizes, disagreements / sizes


@pytest.mark.parametrize("groups", [None, GROUPS, GROUPS // 8])
@pytest.mark.parametrize("n_prototypes", [4, 12, 40])
def test_each_member_is_measured_as_a_new_sample_would_be(n_prototypes, groups):
    latents = LATENTS.astype(np.float32)
    prototypes, owners = condense(scale_strata(latents, None, "none"), n_prototypes, K, 0)
    index = LatentIndex.build(prototypes, kind="flat", n_neighbors=K, recall=1.0, random_state=0)
    errors = open_errors(np.ones((120, 2)), 120, 0)
    samples = TrainingSamples(latents, errors, None, ErrorBins([0.0, 2.0]), groups, TARGETS)
    targets = mean_targets(TARGETS, owners)
    own, members = measure_members(index, samples, owners, K, np.arange(120), targets)
    alone = np.arange(120) if groups is None else groups
    distances, disagreements = by_hand(owners, len(index), alone)
    np.testing.assert_allclose(own.values, distances, rtol=1e-4)
    np.testing.assert_allclose(own.disagreements, disagreements, rtol=1e-4)
    assert len(members.scores) == 120
