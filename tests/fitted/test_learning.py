"""How held-out samples are divided between what they teach."""

import numpy as np
import pytest

from ltau import LTAUEstimator


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.9])
def test_no_group_loses_all_its_samples(seed, fraction):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 2))
    estimator = LTAUEstimator(index="flat", random_state=seed).fit(latents, rng.random((80, 5)))
    groups = np.array(["common"] * 57 + ["rare"] * 2 + ["single"])
    estimator.calibrate(latents[:60], rng.random(60), groups=groups, stretch_fraction=fraction)
    scores = estimator.calibration_.scores
    assert set(scores) == set(groups)
    assert len(scores["single"]) == len(scores["rare"]) == 1
    assert len(scores["common"]) == 57 - round(fraction * 57)


def test_all_samples_may_teach_the_scale():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 2))
    estimator = LTAUEstimator(index="flat").fit(latents, rng.random((80, 5)))
    estimator.calibrate(latents, rng.random(80), groups=np.arange(80) % 3, stretch_fraction=1.0)
    assert not estimator.calibration_.scores
