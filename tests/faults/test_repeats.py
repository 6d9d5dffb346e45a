"""Calls that draw from many samples: the same again, after loading, and in other processes."""

import numpy as np

from ltau import LTAUEstimator
from ltau._fitted.training_scores import rows_to_rank

from .children import run

N = 21_000  # of more than 20,000 samples some are drawn

LOADED = """
from ltau.estimator import LTAUEstimator
model = LTAUEstimator.load(sys.argv[1])
flags = model.predict_ood(np.load(sys.argv[2]), false_positive_rate=0.3)
print(model.ood_threshold().hex(), np.packbits(flags).tobytes().hex())
"""


def test_thresholds_and_flags_are_the_same_again_and_in_every_process(tmp_path):
    assert 0 < len(rows_to_rank(N)) < N
    rng = np.random.default_rng(0)
    latents, queries = rng.normal(size=(N, 2)), rng.normal(size=(5000, 2))
    model = LTAUEstimator(n_neighbors=3).fit(latents, np.abs(rng.normal(size=(N, 3))))
    threshold, flags = (model.ood_threshold(), model.predict_ood(queries, false_positive_rate=0.3))
    assert model.ood_threshold() == threshold
    np.testing.assert_array_equal(model.predict_ood(queries, false_positive_rate=0.3), flags)
    model.save(tmp_path / "model.ltau")
    np.save(tmp_path / "queries.npy", queries)
    expected = f"{threshold.hex()} {np.packbits(flags).tobytes().hex()}\n"
    for _ in range(2):
        assert run(LOADED, tmp_path / "model.ltau", tmp_path / "queries.npy") == expected
