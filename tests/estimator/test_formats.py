"""Files of older formats load, and predict the same bits."""

from pathlib import Path

import numpy as np
import pytest

from ltau import LTAUEstimator

FORMATS = Path(__file__).with_name("formats")
RNG = np.random.default_rng(1)
# What no rule has changed since; where distributions are flat at the level, quantiles have.
THE_SAME = ("expected", "pdf", "cdf", "ood_score", "distances", "rows")
FILES = sorted(path.stem for path in FORMATS.glob("*.ltau"))


def queries():
    """Draw what the predictions beside the files were made for."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(120, 3))
    rng.normal(size=(120, 12))
    return rng.normal(size=(16, 3)).astype(np.float32), latents


@pytest.mark.parametrize("name", FILES)
def test_an_old_file_predicts_the_same(name):
    estimator = LTAUEstimator.load(FORMATS / f"{name}.ltau")
    expected = np.load(FORMATS / f"{name}.npz")
    latents, _ = queries()
    strata = None if estimator.strata_ is None else np.resize([1, 6, 8], 16)
    distances, rows = estimator.kneighbors(latents, strata=strata)
    found = {
        "expected": estimator.predict(latents, strata),
        "pdf": estimator.predict_pdf(latents, strata),
        "cdf": estimator.predict_cdf(latents, 0.7, strata),
        "ood_score": estimator.ood_score(latents, strata),
        "distances": distances,
        "rows": rows,
    }
    for key in THE_SAME:  # versions of numpy add up in other orders
        np.testing.assert_allclose(found[key], expected[key], 1e-12, 1e-12, err_msg=key)
    quantiles = estimator.predict_quantile(latents, [0.5, 0.9], strata)
    assert (quantiles >= expected["quantile"] * (1 - 1e-9)).all()  # ties: the upper end now
    np.testing.assert_allclose(np.median(quantiles / expected["quantile"]), 1.0, rtol=1e-9)


def test_all_older_formats_are_there():
    assert {name.split("_")[0] for name in FILES} == {"format1", "format2", "format3"}
