"""The same call gives the same numbers."""

import numpy as np
import pytest

from ltau import LTAUEstimator

RNG = np.random.default_rng(0)
LATENTS = RNG.normal(size=(600, 4)).astype(np.float32)
ERRORS = RNG.exponential(size=(600, 12))
QUERIES = RNG.normal(size=(50, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq"])
@pytest.mark.parametrize("n_prototypes", [None, 100])
def test_two_runs_with_defaults_agree_bit_for_bit(kind, n_prototypes):
    one, other = (
        LTAUEstimator(index=kind, n_prototypes=n_prototypes).fit(LATENTS, ERRORS) for _ in range(2)
    )
    for estimator in (one, other):
        estimator.calibrate(QUERIES, ERRORS[:50, -1], groups=np.arange(50) % 3)
    groups = np.arange(50) % 3
    asked = {
        "predict": {},
        "ood_score": {},
        "predict_ood": {},
        "predict_quantile": {"q": 0.5, "groups": groups},
    }
    for name, options in asked.items():
        found = (getattr(each, name)(QUERIES, **options) for each in (one, other))
        np.testing.assert_array_equal(*found)


def test_the_threshold_of_many_samples_is_the_same_each_time(monkeypatch, tmp_path):
    """Of more than 20,000 samples some are ranked; which, no seed decides."""
    monkeypatch.setattr("ltau._fitted.training_scores._MOST_RANKED", 200)
    estimator = LTAUEstimator(random_state=None).fit(LATENTS, ERRORS)
    thresholds = {estimator.ood_threshold(rate) for rate in [0.1] * 5}
    estimator.save(tmp_path / "model.ltau")
    for _ in range(2):
        thresholds.add(LTAUEstimator.load(tmp_path / "model.ltau").ood_threshold(0.1))
    assert len(thresholds) == 1
