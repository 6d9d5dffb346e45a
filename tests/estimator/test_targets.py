"""Targets at fit, predictions at predict: the disagreement beyond the domain."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_validate

from ltau import LTAUEstimator
from ltau._prototypes.condense import condense
from ltau.neighbors import scale_strata

RNG = np.random.default_rng(0)
LATENTS = RNG.normal(size=(400, 3))
TARGETS = LATENTS @ [1.0, -2.0, 0.5]
ERRORS = np.abs(RNG.normal(size=(400, 20))) * np.exp(LATENTS[:, :1])
INSIDE, BEYOND = LATENTS[:30] + 0.01, LATENTS[:30] + 6.0
QUERIES = np.concatenate([INSIDE, BEYOND])
Y_PRED = QUERIES @ [1.0, -2.0, 0.5] + RNG.normal(size=60)
C = 0.7


def make(**parameters):
    return LTAUEstimator(**{"disagreement_scaling": C, "weights": "distance"} | parameters)


@pytest.fixture(scope="module")
def estimator():
    return make().fit(LATENTS, ERRORS, targets=TARGETS)


def added(plain, targets, y_pred):
    """Give what the disagreement adds, from neighbours, scores and targets alone."""
    targets, y_pred = targets.reshape(400, -1), np.reshape(y_pred, (60, -1))
    others = plain.kneighbors(LATENTS, 11)[1][:, 1:]
    own = np.linalg.norm(targets - targets[others].mean(axis=1), axis=1)
    distances, rows = plain.kneighbors(QUERIES)
    weights = 1 / distances / (1 / distances).sum(axis=1, keepdims=True)
    mean = (weights[:, :, None] * targets[rows]).sum(axis=1)
    d = np.linalg.norm(y_pred - mean, axis=1)
    w = np.maximum(0, 1 - 1 / plain.ood_score(QUERIES))
    return C * np.maximum(0, w * d - (weights * own[rows]).sum(axis=1))


def test_it_adds_to_the_expected_error_beyond_the_domain(estimator):
    plain = make().fit(LATENTS, ERRORS)
    expected = plain.predict(QUERIES) + added(plain, TARGETS, Y_PRED)
    np.testing.assert_allclose(estimator.predict(QUERIES, y_pred=Y_PRED), expected, rtol=1e-6)


def test_every_prediction_is_stretched_alike(estimator):
    plain = make().fit(LATENTS, ERRORS)
    base = plain.predict_distribution(QUERIES)
    stretched = base.scaled(1 + added(plain, TARGETS, Y_PRED) / base.mean())
    given = {"y_pred": Y_PRED}
    q = [0.5, 0.9]
    np.testing.assert_allclose(
        estimator.predict_quantile(QUERIES, q, **given), stretched.quantile(q), rtol=1e-6
    )
    np.testing.assert_allclose(
        estimator.predict_cdf(QUERIES, [0.3, 2.0], **given), stretched.cdf([0.3, 2.0]), atol=1e-6
    )
    distribution, score = estimator.predict_distribution(QUERIES, return_ood_score=True, **given)
    np.testing.assert_allclose(distribution.std(), stretched.std(), rtol=1e-6)
    np.testing.assert_array_equal(score, estimator.ood_score(QUERIES))
    summary = estimator.predict_summary(QUERIES, 0.9, **given)
    np.testing.assert_allclose(summary.expected_error, stretched.mean(), rtol=1e-6)
    np.testing.assert_allclose(summary.error_bar, stretched.quantile(0.9), rtol=1e-6)
    interval = estimator.predict_interval(QUERIES, Y_PRED, 0.9)
    np.testing.assert_allclose(interval[:, 1] - Y_PRED, stretched.quantile(0.9), rtol=1e-6)
    widths = np.diff(estimator.bin_edges_)
    np.testing.assert_allclose(estimator.predict_pdf(QUERIES, **given) @ widths, 1)
    crps = stretched.crps(ERRORS[:60, -1:]).mean()
    assert estimator.score(QUERIES, ERRORS[:60, -1], **given) == pytest.approx(-crps, rel=1e-6)


def test_inside_the_domain_predictions_make_no_difference(estimator):
    inside = QUERIES[estimator.ood_score(QUERIES) <= 1]
    near, far = (estimator.predict(inside, y_pred=np.full(len(inside), y)) for y in (0.0, 1e6))
    assert len(inside)
    np.testing.assert_array_equal(near, far)


def test_distances_need_no_predictions(estimator):
    assert estimator.kneighbors(QUERIES)[1].shape == (60, 10)
    assert estimator.predict_ood(QUERIES)[30:].all()


def test_several_outputs_disagree_by_the_norm():
    targets = np.stack([TARGETS, TARGETS**2], axis=1)
    y_pred = np.stack([Y_PRED, Y_PRED + 3], axis=1)
    estimator = make().fit(LATENTS, ERRORS, targets=targets)
    plain = make().fit(LATENTS, ERRORS)
    expected = plain.predict(QUERIES) + added(plain, targets, y_pred)
    np.testing.assert_allclose(estimator.predict(QUERIES, y_pred=y_pred), expected, rtol=1e-6)


def test_a_column_is_one_output(estimator):
    column = make().fit(LATENTS, ERRORS, targets=TARGETS[:, None])
    np.testing.assert_array_equal(
        column.predict(QUERIES, y_pred=Y_PRED), estimator.predict(QUERIES, y_pred=Y_PRED[:, None])
    )


def test_samples_of_one_place_have_their_mean_target():
    places = np.repeat(RNG.normal(size=(40, 2)), 2, axis=0)
    targets = RNG.normal(size=80)
    estimator = make(n_neighbors=4).fit(places, ERRORS[:80], targets=targets)
    np.testing.assert_allclose(estimator.fitted_.targets[:, 0], targets.reshape(-1, 2).mean(axis=1))


def test_prototypes_have_the_mean_target_of_their_members():
    estimator = make(n_prototypes=20).fit(LATENTS, ERRORS, targets=TARGETS)
    scaled = scale_strata(LATENTS.astype(np.float32), None, "whiten")
    _, owners = condense(scaled, 20, 10, 0)
    expected = np.bincount(owners, TARGETS) / np.bincount(owners)
    np.testing.assert_allclose(estimator.fitted_.targets[:, 0], expected)
    assert estimator.predict(QUERIES, y_pred=Y_PRED).shape == (60,)


@settings(deadline=None, max_examples=20)
@given(st.floats(-1e3, 1e3), st.floats(0.1, 1e3))
def test_the_origin_of_the_target_does_not_matter_and_its_unit_is_that_of_errors(shift, unit):
    one = make(n_neighbors=5, bins="linear").fit(LATENTS[:99], ERRORS[:99], targets=TARGETS[:99])
    other = make(n_neighbors=5, bins="linear").fit(
        LATENTS[:99], unit * ERRORS[:99], targets=unit * (TARGETS[:99] + shift)
    )
    expected = unit * one.predict(QUERIES, y_pred=Y_PRED)
    found = other.predict(QUERIES, y_pred=unit * (Y_PRED + shift))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_calibration_scales_with_the_disagreement_in_view():
    estimator = make().fit(LATENTS, ERRORS, targets=TARGETS)
    observed = np.abs(RNG.normal(size=60)) * estimator.predict(QUERIES, y_pred=Y_PRED)
    estimator.calibrate(QUERIES, observed, y_pred=Y_PRED, stretch_fraction=1.0)

    def crps(scale):
        calibration = estimator.calibration_
        twin = make().fit(LATENTS, ERRORS, targets=TARGETS)
        twin.calibration_ = type(calibration)(scale, calibration.exponent, {})
        return -twin.score(QUERIES, observed, y_pred=Y_PRED)

    best = estimator.calibration_.scale
    assert crps(best) <= min(crps(0.9 * best), crps(1.1 * best))
    assert estimator.calibration_.exponent == estimator.distance_scaling


def test_an_estimator_with_targets_is_saved_whole(estimator, tmp_path):
    estimator.save(tmp_path / "targets.ltau")
    loaded = LTAUEstimator.load(tmp_path / "targets.ltau")
    np.testing.assert_array_equal(
        loaded.predict(QUERIES, y_pred=Y_PRED), estimator.predict(QUERIES, y_pred=Y_PRED)
    )


def test_without_targets_it_is_what_it_was():
    with_none = make().fit(LATENTS, ERRORS).predict(QUERIES)
    none_of_it = make(disagreement_scaling=0.0).fit(LATENTS, ERRORS, targets=TARGETS)
    np.testing.assert_array_equal(none_of_it.predict(QUERIES, y_pred=Y_PRED), with_none)


def test_scikit_learn_routes_targets_and_predictions():
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = (
            make(n_neighbors=5)
            .set_fit_request(targets=True, groups=True)
            .set_score_request(y_pred=True)
        )
        params = {"targets": TARGETS, "groups": np.arange(400) // 4, "y_pred": TARGETS}
        scores = cross_validate(
            estimator, LATENTS, ERRORS, cv=4, params=params, error_score="raise"
        )["test_score"]
    assert (scores < 0).all()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (TARGETS[:-1], r"targets of shape \(400,\) or \(400, n_outputs\), got shape \(399,\)"),
        (np.where(TARGETS > 2, np.nan, TARGETS), "targets without NaN or infinite values, got"),
        (np.where(TARGETS > 2, np.inf, TARGETS), "targets without NaN or infinite values, got"),
        (TARGETS[:, None, None], r"got shape \(400, 1, 1\)"),
        (TARGETS.astype(str), "targets that are real numbers, got"),
    ],
)
def test_targets_that_are_none_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        make().fit(LATENTS, ERRORS, targets=targets)


METHODS = {
    "predict": (QUERIES,),
    "predict_pdf": (QUERIES,),
    "predict_cdf": (QUERIES, 1.0),
    "predict_quantile": (QUERIES, 0.9),
    "predict_summary": (QUERIES,),
    "predict_distribution": (QUERIES,),
    "score": (QUERIES, ERRORS[:60, 0]),
    "calibrate": (QUERIES, ERRORS[:60, 0]),
}


@pytest.mark.parametrize("method", METHODS)
def test_predictions_are_asked_for_where_there_are_targets(method):
    with_targets = make().fit(LATENTS, ERRORS, targets=TARGETS)
    without = make().fit(LATENTS, ERRORS)
    with pytest.raises(ValueError, match="was fitted with targets: give y_pred"):
        getattr(with_targets, method)(*METHODS[method])
    with pytest.raises(ValueError, match="was fitted without targets: predict without y_pred"):
        getattr(without, method)(*METHODS[method], y_pred=Y_PRED)
    getattr(with_targets, method)(*METHODS[method], y_pred=Y_PRED)


@pytest.mark.parametrize(
    ("y_pred", "message"),
    [
        (Y_PRED[:-1], r"y_pred of shape \(60,\), got shape \(59,\)"),
        (np.stack([Y_PRED, Y_PRED], axis=1), r"y_pred of shape \(60,\), got shape \(60, 2\)"),
        (np.where(Y_PRED > 0, np.nan, Y_PRED), "y_pred without NaN or infinite values"),
    ],
)
def test_predictions_that_are_none_are_refused(estimator, y_pred, message):
    for call in (
        lambda: estimator.predict(QUERIES, y_pred=y_pred),
        lambda: estimator.predict_interval(QUERIES, y_pred, 0.9),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_predictions_of_other_outputs_are_refused():
    estimator = make().fit(LATENTS, ERRORS, targets=np.stack([TARGETS, TARGETS], axis=1))
    with pytest.raises(ValueError, match=r"y_pred of shape \(60, 2\), got shape \(60,\)"):
        estimator.predict(QUERIES, y_pred=Y_PRED)


def test_intervals_are_of_one_output():
    two = np.stack([TARGETS, TARGETS], axis=1)
    estimator = make().fit(LATENTS, ERRORS, targets=two)
    with pytest.raises(ValueError, match=r"y_pred of shape \(60,\), got shape \(60, 2\)"):
        estimator.predict_interval(QUERIES, two[:60], 0.9)


def test_targets_are_the_estimators_own():
    targets = TARGETS.copy()
    estimator = make().fit(LATENTS, ERRORS, targets=targets)
    before = estimator.predict(QUERIES, y_pred=Y_PRED)
    targets += 1000
    np.testing.assert_array_equal(estimator.predict(QUERIES, y_pred=Y_PRED), before)


def test_what_would_overflow_is_refused(estimator):
    with pytest.raises(ValueError, match=r"y_pred of at most 1e\+100, got 1e\+160"):
        estimator.predict(QUERIES, y_pred=np.full(60, 1e160))
    assert np.isfinite(estimator.predict(QUERIES, y_pred=np.full(60, 1e99))).all()
