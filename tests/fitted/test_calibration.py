"""Calibration against what defines it, and as a part of the estimator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltau import Calibration, ErrorDistribution, LTAUEstimator, LTAUFileError
from ltau._files import archive
from ltau._fitted.conformal import bound, conformal_scores
from ltau._fitted.learning import HeldOut, learn
from ltau._fitted.settings import Settings
from ltau._maths.domain import error_factor

RNG = np.random.default_rng(0)
LATENTS = RNG.normal(size=(600, 3))
SPREAD = np.exp(LATENTS[:, 0])
ERRORS = np.abs(RNG.normal(size=(600, 30))) * SPREAD[:, None]


def paper(*args, **settings):
    """Make an estimator as in the paper: every epoch, latents as they are, no stretching."""
    defaults = {"burn_in": 0.0, "scaling": "none", "distance_scaling": 0.0}
    return LTAUEstimator(*args, **defaults | settings)


def held_out(n, seed=1, factor=1.0):
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(n, 3))
    return latents, factor * np.abs(rng.normal(size=n)) * np.exp(latents[:, 0])


@pytest.fixture
def estimator():
    return paper(random_state=0).fit(LATENTS, ERRORS)


# --- scores and bounds --------------------------------------------------------------

probabilities = st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=4).filter(
    any
)


@given(st.lists(probabilities, min_size=1, max_size=4), st.data())
def test_an_error_lies_within_the_bound_at_its_score_and_no_lower(rows, data):
    weights = np.array(rows)
    distribution = ErrorDistribution(
        weights / weights.sum(axis=1, keepdims=True), [0.0, 0.5, 1.0, 2.0, 8.0]
    )
    error = data.draw(st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0, 8.0, 20.0]))
    errors = np.full((len(rows), 1), error)
    scores = conformal_scores(distribution, errors)
    assert (bound(distribution, scores) >= errors * (1 - 1e-12)).all()
    lower = np.nextafter(scores, 0) - 1e-9
    possible = lower > 0
    assert (bound(distribution, np.maximum(lower, 0.0)) <= errors * (1 + 1e-6))[possible].all()


def test_the_score_is_the_probability_integral_transform_and_goes_on_above_1():
    distribution = ErrorDistribution([[0.5, 0.5]] * 4, [0.0, 1.0, 3.0])
    scores = conformal_scores(distribution, np.array([[0.5], [2.0], [3.0], [9.0]]))
    np.testing.assert_allclose(scores[:, 0], [0.25, 0.75, 1.0, 3.0])
    np.testing.assert_allclose(bound(distribution, scores)[:, 0], [0.5, 2.0, 3.0, 9.0])


def test_an_infinite_level_has_an_infinite_bound():
    distribution = ErrorDistribution([[0.5, 0.5]], [0.0, 1.0, 3.0])
    assert bound(distribution, np.array([[np.inf]])) == np.inf


def test_missing_errors_have_no_score():
    distribution = ErrorDistribution([[0.5, 0.5]], [0.0, 1.0, 3.0])
    assert np.isnan(conformal_scores(distribution, np.array([[0.5, np.nan]]))).tolist() == [
        [False, True]
    ]


@pytest.mark.parametrize(("n", "q", "rank"), [(99, 0.9, 90), (9, 0.9, 9), (50, 0.9, 46), (3, 0, 0)])
def test_levels_are_order_statistics(n, q, rank):
    scores = np.sort(RNG.random(n))
    expected = scores[rank - 1] if rank else 0.0
    assert Calibration(1.0, 0.0, {None: scores}).levels(q) == [expected]


def test_too_few_samples_for_a_level_say_how_many_it_needs():
    calibration = Calibration(1.0, 0.0, {None: np.linspace(0.1, 1, 8)})
    with pytest.warns(UserWarning, match=r"0\.9 needs 9 calibration samples, there are 8"):
        assert calibration.levels(0.9) == [np.inf]
    with pytest.warns(UserWarning, match="needs infinitely many"):
        assert calibration.levels(1.0) == [np.inf]


# --- scale and exponent ---------------------------------------------------------------


@pytest.mark.parametrize("form", ["bounded", "power"])
@pytest.mark.parametrize(("scale", "exponent"), [(0.5, 0.0), (2.0, 1.0), (1.0, 2.0)])
def test_the_stretch_that_made_the_errors_is_found(scale, exponent, form):
    rng = np.random.default_rng(0)
    n = 4000
    distribution = ErrorDistribution(np.full((n, 10), 0.1), np.linspace(0, 1, 11))
    ratio = np.exp(rng.normal(0, 0.7, n))
    settings = Settings(10, "uniform", form, 0.5, Calibration(scale, exponent, {}))
    samples = HeldOut(distribution, ratio, rng.random(n))
    factor = error_factor(settings, samples.ood_score, samples.excess)
    errors = (factor * rng.random(n))[:, None]
    found = learn(samples, errors, None, settings, exponent=None, stretch_fraction=1.0, rng=rng)
    assert found.scale == pytest.approx(scale, rel=0.05)
    assert found.exponent == pytest.approx(exponent, abs=0.1)
    assert found.scores == {}
    given_power = learn(
        samples, errors, None, settings, exponent=exponent, stretch_fraction=1.0, rng=rng
    )
    assert given_power.exponent == exponent
    assert given_power.scale == pytest.approx(scale, rel=0.05)


# --- the estimator --------------------------------------------------------------------


def test_every_prediction_is_stretched_alike(estimator):
    queries = np.concatenate([LATENTS[:20] + 0.1, LATENTS[:20] + 5])
    plain, score = estimator.predict_distribution(queries, return_ood_score=True)
    estimator.set_params(distance_scaling=1.5, stretch="power")
    expected = plain.scaled(score**1.5)
    np.testing.assert_allclose(estimator.predict(queries), expected.mean())
    np.testing.assert_allclose(
        estimator.predict_quantile(queries, [0.5, 0.9]), expected.quantile([0.5, 0.9])
    )
    np.testing.assert_allclose(
        estimator.predict_cdf(queries, [0.1, 1.0]), expected.cdf([0.1, 1.0]), atol=1e-12
    )
    cdf = expected.cdf(estimator.bin_edges_)
    cdf[:, -1] = 1
    pdf = estimator.predict_pdf(queries)
    np.testing.assert_allclose(pdf * np.diff(estimator.bin_edges_), np.diff(cdf), atol=1e-12)
    np.testing.assert_allclose(estimator.predict_distribution(queries).scale, score**1.5)
    observed = np.ones(40)
    assert estimator.score(queries, observed) == pytest.approx(-expected.crps(observed).mean())


def test_a_wrong_scale_is_mended_and_the_mending_taken_back(estimator):
    latents, errors = held_out(2000, factor=3.0)
    before = estimator.predict(latents)
    estimator.calibrate(latents, errors)
    assert estimator.calibration_.scale == pytest.approx(3.0, rel=0.15)
    test_latents, test_errors = held_out(2000, seed=2, factor=3.0)
    for level in (0.5, 0.9):
        covered = test_errors <= estimator.predict_quantile(test_latents, level)
        assert covered.mean() == pytest.approx(level, abs=0.04)
    np.testing.assert_array_equal(estimator.reset_calibration().predict(latents), before)


def test_calibrating_twice_is_calibrating_once(estimator):
    latents, errors = held_out(300)
    once = estimator.calibrate(latents, errors).predict_quantile(latents, 0.9)
    twice = estimator.calibrate(latents, errors).predict_quantile(latents, 0.9)
    np.testing.assert_array_equal(once, twice)


def test_levels_alone_leave_the_densities_as_they_are(estimator):
    latents, errors = held_out(300, factor=2.0)
    estimator.set_params(distance_scaling=0.5)
    before = estimator.predict(latents)
    estimator.calibrate(latents, errors, stretch_fraction=0.0)
    assert (estimator.calibration_.scale, estimator.calibration_.exponent) == (1.0, 0.5)
    assert len(estimator.calibration_.scores[None]) == 300
    np.testing.assert_array_equal(estimator.predict(latents), before)
    covered = errors <= estimator.predict_quantile(latents, 0.9)
    assert covered.sum() in (270, 271)  # the 271st of 300 scores, up to rounding


def test_groups_have_levels_of_their_own(estimator):
    latents, errors = held_out(400)
    groups = np.array(["easy", "hard"])[np.arange(400) % 2]
    errors = np.where(groups == "hard", 4 * errors, errors)
    estimator.calibrate(latents, errors, groups=groups, stretch_fraction=0)
    quantile = estimator.predict_quantile(latents, 0.9, groups=groups)
    for group in ("easy", "hard"):
        inside = (errors <= quantile)[groups == group]
        assert inside.sum() in (180, 181)
    interval = estimator.predict_interval(latents, np.zeros(400), 0.9, groups=groups)
    np.testing.assert_array_equal(interval[:, 1], quantile)
    with pytest.raises(ValueError, match="calibrated with groups"):
        estimator.predict_quantile(latents, 0.9)
    with pytest.raises(ValueError, match="Group odd was not calibrated; those that were: easy"):
        estimator.predict_quantile(latents[:1], 0.9, groups=["odd"])
    estimator.reset_calibration()
    with pytest.raises(ValueError, match="calibrated without groups"):
        estimator.predict_quantile(latents, 0.9, groups=groups)


@pytest.mark.parametrize("groups", [None, "letters", "numbers"])
def test_a_calibration_is_saved_with_the_model(estimator, tmp_path, groups):
    latents, errors = held_out(200)
    labels = {None: None, "letters": np.array(["a", "b"] * 100), "numbers": np.arange(200) % 3}
    estimator.calibrate(latents, errors, groups=labels[groups])
    estimator.save(tmp_path / "model.ltau")
    loaded = LTAUEstimator.load(tmp_path / "model.ltau")
    assert loaded.calibration_.scale == estimator.calibration_.scale
    np.testing.assert_array_equal(
        loaded.predict_quantile(latents, [0.5, 0.8], groups=labels[groups]),
        estimator.predict_quantile(latents, [0.5, 0.8], groups=labels[groups]),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"stretch": np.array([-1.0, 0.0])},
        {"stretch": np.array([1.0, np.nan])},
        {"stretch": np.array([1.0])},
        {"scores": np.array([0.5, 0.1])},
        {"scores": np.array([np.nan, 0.1])},
        {"sizes": np.array([3])},
        {"groups": np.array(["a", "b"])},
    ],
    ids=str,
)
def test_a_damaged_calibration_is_refused(estimator, tmp_path, change):
    path = tmp_path / "model.ltau"
    estimator.calibrate(*held_out(100)).save(path)
    header, arrays = archive.read(path)
    archive.write(path, header, arrays | {f"calibration.{name}": a for name, a in change.items()})
    with pytest.raises(LTAUFileError, match="does not hold a whole estimator"):
        LTAUEstimator.load(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exponent": -1.0}, "exponent from 0 to 10"),
        ({"exponent": np.nan}, "exponent from 0 to 10"),
        ({"stretch_fraction": 1.5}, "stretch_fraction from 0 to 1"),
        ({"groups": ["a"]}, "groups of shape"),
        ({"y": -np.ones(50)}, "non-negative"),
        ({"y": np.full(50, np.nan)}, "at least one error"),
        ({"y": np.ones(49)}, "inconsistent numbers of samples"),
    ],
)
def test_what_cannot_calibrate_is_refused_and_changes_nothing(estimator, arguments, message):
    latents, errors = held_out(50)
    estimator.calibrate(latents, errors)
    before = estimator.calibration_
    with pytest.raises(ValueError, match=message):
        estimator.calibrate(latents, arguments.pop("y", errors), **arguments)
    assert estimator.calibration_ is before


def test_a_new_fit_forgets_the_calibration(estimator):
    estimator.calibrate(*held_out(50))
    assert estimator.fit(LATENTS, ERRORS).calibration_ is None
