"""Parameters set to nonsense after fit: refused by name where they have a part, else no matter."""

import copy

import numpy as np
import pytest

from ltau import LTAUEstimator

NEW = np.random.default_rng(1).normal(size=(5, 3))
ERRORS = np.array([0.1, 2.0, 0.5, 0.7, 1.0])

PREDICTIONS = {
    "predict": lambda e: e.predict(NEW),
    "predict_pdf": lambda e: e.predict_pdf(NEW),
    "predict_cdf": lambda e: e.predict_cdf(NEW, 0.5),
    "predict_quantile": lambda e: e.predict_quantile(NEW, 0.5),
    "predict_interval": lambda e: e.predict_interval(NEW, np.zeros(5), 0.5),
    "predict_summary": lambda e: np.stack(e.predict_summary(NEW, 0.5)),
    "predict_distribution": lambda e: e.predict_distribution(NEW).mean(),
    "score": lambda e: e.score(NEW, ERRORS),
}
SEARCHES = {
    "kneighbors": lambda e: e.kneighbors(NEW)[0],
    "ood_score": lambda e: e.ood_score(NEW),
    "predict_ood": lambda e: e.predict_ood(NEW),
}


def calibration(estimator, **options):
    learnt = estimator.calibrate(NEW, ERRORS, **options).calibration_
    return np.array([learnt.scale, learnt.exponent, *learnt.scores[None]])


CALIBRATIONS = {
    "calibrate": calibration,
    "calibrate levels alone": lambda e: calibration(e, stretch_fraction=0),
}
ALL = PREDICTIONS | SEARCHES | CALIBRATIONS
CALLS = ALL | {"sample_weight": lambda e: e.sample_weight()}

# Of each parameter: nonsense, and the calls in which it has a part. One of those by which
# neighbours become a prediction has one in whatever is predicted.
PARAMETERS = {
    "n_neighbors": (ALL, [0, -1, 2.0, None, "5", np.nan]),
    "burn_in": ((), ["a", -1, 1.5, None, np.nan]),
    "scaling": ((), ["x", None, 1]),
    "n_bins": ((), [0, 2.5, None, "a"]),
    "bins": ((), [None, "x", [1.0], ["a", "b"], [0.0, -1.0]]),
    "weights": (ALL, ["x", None, 1]),
    "distance_scaling": (ALL, [-1, "a", None, np.nan, np.inf, -np.inf]),
    "index": ((), ["x", None]),
    "recall": ((), [2, 0, None, "a"]),
    "n_prototypes": ((), [0, "x", 2.5]),
    "prototype_tolerance": ((), [-1, None, "a"]),
    "memory_limit": ((), [0, "a", 1.5]),
    "n_jobs": (ALL, ["a", 1.5, 0]),
    "random_state": (CALIBRATIONS, [-1, "a", 1.5, 2**40]),
}


def cases(calls):
    return [
        pytest.param(call, name, value, id=f"{call}-{name}={value}")
        for call in calls
        for name, (has_part, values) in PARAMETERS.items()
        for value in values
        if call == "save" or call in has_part
    ]


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    latents, errors = rng.normal(size=(80, 3)), rng.exponential(size=(80, 9))
    return LTAUEstimator(index="flat", random_state=0).fit(latents, errors)


@pytest.mark.parametrize(("call", "name", "value"), cases(CALLS))
def test_nonsense_is_refused_by_name(fitted, call, name, value):
    estimator = copy.copy(fitted).set_params(**{name: value})
    with pytest.raises(ValueError, match=name):
        CALLS[call](estimator)


@pytest.mark.filterwarnings("ignore:A level of 0.5 needs")
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("call", CALLS)
def test_nonsense_without_a_part_changes_nothing(fitted, call, number):
    nonsense = {
        name: values[number % len(values)]
        for name, (has_part, values) in PARAMETERS.items()
        if call not in has_part
    }
    expected = CALLS[call](copy.copy(fitted))
    actual = CALLS[call](copy.copy(fitted).set_params(**nonsense))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("call", "name", "value"), cases(["save"]))
def test_nonsense_is_not_saved(fitted, tmp_path, call, name, value):
    with pytest.raises(ValueError, match=name):
        copy.copy(fitted).set_params(**{name: value}).save(tmp_path / "estimator")
    assert not list(tmp_path.iterdir())


OTHERS = {
    "n_neighbors": 5,
    "weights": "distance",
    "distance_scaling": 0.5,
    "stretch": "power",
    "disagreement_scaling": 0.1,
}


@pytest.fixture(scope="module")
def calibrated(fitted):
    rng = np.random.default_rng(1)
    estimator = copy.copy(fitted)
    return estimator.calibrate(rng.normal(size=(60, 3)), rng.exponential(size=60))


@pytest.mark.parametrize(("name", "value"), OTHERS.items())
def test_a_calibration_belongs_to_its_parameters(calibrated, tmp_path, name, value):
    queries = np.random.default_rng(2).normal(size=(10, 3))
    expected, before = calibrated.predict(queries), getattr(calibrated, name)
    estimator = copy.copy(calibrated).set_params(**{name: value})
    message = rf"{name}={before!r}.*{name}={value!r}.*calibrate again"
    for refused in (
        lambda: estimator.predict(queries),
        lambda: estimator.score(queries, np.ones(10)),
        lambda: estimator.save(tmp_path / "estimator"),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    np.testing.assert_array_equal(estimator.set_params(**{name: before}).predict(queries), expected)


@pytest.mark.parametrize(("name", "value"), OTHERS.items())
def test_other_parameters_are_calibrated_anew(fitted, calibrated, name, value):
    rng = np.random.default_rng(3)
    latents, errors = rng.normal(size=(60, 3)), rng.exponential(size=60)
    changed = copy.copy(calibrated).set_params(**{name: value}).calibrate(latents, errors)
    fresh = copy.copy(fitted).set_params(**{name: value}).calibrate(latents, errors)
    np.testing.assert_array_equal(changed.predict(latents), fresh.predict(latents))
    taken_back = copy.copy(calibrated).set_params(**{name: value}).reset_calibration()
    plain = copy.copy(fitted).set_params(**{name: value})
    np.testing.assert_array_equal(taken_back.predict(latents), plain.predict(latents))


def test_a_calibration_does_not_belong_to_the_threads(calibrated):
    queries = np.random.default_rng(2).normal(size=(10, 3))
    estimator = copy.copy(calibrated).set_params(n_jobs=2)
    np.testing.assert_array_equal(estimator.predict(queries), calibrated.predict(queries))


def test_a_loaded_calibration_belongs_to_the_saved_parameters(calibrated, tmp_path):
    calibrated.save(tmp_path / "estimator")
    loaded = LTAUEstimator.load(tmp_path / "estimator")
    queries = np.random.default_rng(2).normal(size=(10, 3))
    np.testing.assert_array_equal(loaded.predict(queries), calibrated.predict(queries))
    with pytest.raises(ValueError, match="calibrate again"):
        loaded.set_params(n_neighbors=5).predict(queries)
