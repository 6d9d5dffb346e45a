"""Levels within groups: each sample's is that of its group, or the backend refuses groups."""

import math

import numpy as np
import pytest

from ltau import LTAUEstimator

from .cases import CASES

CASE = CASES["ties in errors"]
GROUPS = np.array(["a", "b", "c"])[np.arange(240) % 3]
ASKED = np.array(["c", "a", "b"])[np.arange(len(CASE.queries)) % 3]


def fitted(kind="flat"):
    estimator = LTAUEstimator(5, index=kind, recall=1.0, n_bins=25).fit(CASE.latents, CASE.errors)
    observed = CASE.errors[:, -1] * (1 + (GROUPS == "b"))
    return estimator.calibrate(CASE.latents, observed, groups=GROUPS, exponent=0.5)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf_sq8", "dask blocks"])
def test_levels_are_those_of_the_group(kind, client):
    estimator = fitted("flat" if kind == "dask blocks" else kind)
    if kind == "dask blocks":
        import dask.array as da

        from ltau.adapters.dask import DaskEstimator

        lazy = DaskEstimator(estimator, client).predict_quantile(
            da.from_array(CASE.queries, chunks=(5, 3)), 0.8, groups=ASKED
        )
        found = lazy.compute()
    else:
        found = estimator.predict_quantile(CASE.queries, 0.8, groups=ASKED)
    distribution = estimator.predict_distribution(CASE.queries)
    for row, (bar, group) in enumerate(zip(found, ASKED, strict=True)):
        scores = estimator.calibration_.scores[group]
        level = scores[math.ceil((len(scores) + 1) * 0.8) - 1]
        expected = distribution[row].quantile(min(level, 1.0))[0] * max(level, 1.0)
        assert bar == pytest.approx(expected, rel=1e-9)


def test_tensors_and_compiled_models_refuse_groups():
    torch = pytest.importorskip("torch")
    from ltau.adapters.torch import TorchEstimator

    with pytest.raises(ValueError, match="calibrated without groups, got one with a, b, c"):
        TorchEstimator(fitted())
    pytest.importorskip("nequip")
    from ltau.adapters.nequip._fused import ModelWithUncertainty

    model = torch.nn.Identity()
    model.model_dtype = torch.float32
    with pytest.raises(ValueError, match="calibrated with groups: predict likewise"):
        ModelWithUncertainty(model, fitted(), 0.9, ["Cu", "Au"])
