"""Every backend gives the answers of an oracle that counts neighbours one by one."""

import numpy as np
import pytest

from ltau import LTAUEstimator

from .backends import NAMES, backends
from .cases import CASES
from .oracle import Oracle

PARAMETERS = {
    "burn_in": 0.0,
    "scaling": "none",
    "n_bins": 25,
    "n_neighbors": 5,
    "n_jobs": 1,
    "random_state": 0,
    "weights": "uniform",
    "distance_scaling": 0.5,
    "stretch": "power",
}

# What a compiled model cannot do: its selection has a fixed size.
FIRST_OF_EQUALLY_NEAR = {"compiled": ("equally near", "equally near, weights by distance")}
NO_CALIBRATION = ("dask shards",)
NO_TARGETS = ("compiled",)


def fit(case, settings):
    """Fit, and calibrate where the case says so: errors of the training set, but larger."""
    parameters = PARAMETERS | settings | case.settings
    estimator = LTAUEstimator(**parameters).fit(
        case.latents, case.errors, case.strata, targets=case.targets
    )
    if case.held_out is not None:
        observed = case.held_out * case.errors[:, -1]
        y_pred = None if case.targets is None else case.targets + 1.0
        fraction = 0.5 if case.exponent is None else 0.0
        estimator.calibrate(
            case.latents,
            observed,
            case.strata,
            exponent=case.exponent,
            stretch_fraction=fraction,
            y_pred=y_pred,
        )
    return estimator


def scaled(estimator, latents, strata):
    """Scale latents as the estimator does, stratum by stratum."""
    rows = np.empty(latents.shape, np.float32)
    for stratum in estimator.fitted_.index.strata:
        mine = slice(None) if stratum.label is None else strata == stratum.label
        rows[mine] = stratum.scaler.transform(latents[mine])
    return rows


def oracle_of(case, estimator):
    calibration = estimator.settings().calibration
    strata = np.zeros(len(case.latents), int) if case.strata is None else case.strata
    return Oracle(
        scaled(estimator, case.latents, case.strata),
        case.errors,
        strata,
        estimator.bin_edges_,
        k=estimator.n_neighbors,
        weights=estimator.weights,
        stretch=estimator.stretch,
        c=estimator.disagreement_scaling,
        scale=calibration.scale,
        exponent=calibration.exponent,
        targets=case.targets,
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_the_oracle(name, case, client):
    title = next(title for title, each in CASES.items() if each is case)
    if title in FIRST_OF_EQUALLY_NEAR.get(name, ()):
        pytest.skip("of equally near samples a compiled model takes the first")
    if case.held_out is not None and name in NO_CALIBRATION:
        pytest.skip("shards are not calibrated")
    if case.targets is not None and name in NO_TARGETS:
        pytest.skip("a compiled model does not know targets: see below")
    backend = backends(client)[name]
    estimator = fit(case, backend.settings())
    oracle = oracle_of(case, estimator)
    asked = np.zeros(len(case.queries), int) if case.asked is None else case.asked
    levels = case.levels
    if estimator.calibration_ is not None:
        levels = [float(estimator.calibration_.levels(level)[0]) for level in levels]
    data = case.latents, case.errors, case.strata, case.targets
    found = backend.answer(estimator, case.queries, case.asked, case.levels, data, case.y_pred)
    rows = scaled(estimator, case.queries, case.asked)
    y_pred = [None] * len(rows) if case.y_pred is None else case.y_pred
    queries = zip(rows, asked, [levels] * len(rows), y_pred, strict=True)
    wanted = [oracle.answer(*query) for query in queries]
    expected, quantiles, scores = map(np.array, zip(*wanted, strict=True))
    np.testing.assert_allclose(found.ood_score, scores, rtol=2e-4)
    np.testing.assert_allclose(found.expected_error, expected, rtol=2e-4)
    np.testing.assert_allclose(found.quantiles, quantiles, rtol=2e-4, atol=1e-9)


@pytest.mark.parametrize(
    "title", [title for title, case in CASES.items() if case.y_pred is not None]
)
def test_cases_with_targets_have_some_that_disagree(title):
    """Or they would say nothing of it."""
    case = CASES[title]
    estimator = fit(case, {"index": "flat"})
    plain = LTAUEstimator(**estimator.get_params()).fit(case.latents, case.errors, case.strata)
    plain.calibration_ = estimator.calibration_
    ratio = estimator.predict(case.queries, case.asked, y_pred=case.y_pred) / plain.predict(
        case.queries, case.asked
    )
    assert (ratio > 1.1).any()
    assert np.isclose(ratio, 1.0).any()


def test_compiled_models_refuse_targets():
    torch = pytest.importorskip("torch")
    pytest.importorskip("nequip")
    from ltau.adapters.nequip._fused import ModelWithUncertainty

    model = torch.nn.Identity()
    model.model_dtype = torch.float32
    with pytest.raises(ValueError, match="without targets, got one with targets"):
        ModelWithUncertainty(model, fit(CASES["targets"], {}), 0.9, ["Cu", "Au"])
