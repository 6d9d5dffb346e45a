"""What is predicted for each atom, when, and where it is left."""

import copy

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

pytest.importorskip("ase")

from ltau import LTAUEstimator
from ltau.adapters.ase import Uncertainty
from ltau.log import ErrorLog
from ltau.structures import StructureSamples, environment_latents, fit_structures


@pytest.fixture
def latents(atoms, latents_of):
    return latents_of(atoms)


def fit_on_log(path, target, unit):
    """Fit an estimator that knows what its errors are of."""
    with ErrorLog(path, n_samples=20, target=target, unit=unit) as log:
        log.record(np.arange(20), np.linspace(0.1, 1.0, 20))
        log.end_epoch()
        return LTAUEstimator().fit(np.random.default_rng(0).normal(size=(20, 4)), log)


@pytest.mark.parametrize("calibrated", [False, True])
def test_the_numbers_are_those_of_the_estimator(estimator, latents, atoms, calibrated):
    if calibrated:
        rng = np.random.default_rng(0)
        held_out = np.tile(latents, (20, 1)) + 0.01 * rng.normal(size=(20 * len(atoms), 1))
        estimator = copy.deepcopy(estimator)
        estimator.calibrate(held_out, rng.random(len(held_out)), np.tile(atoms.numbers, 20))
    results = Uncertainty(estimator, level=0.8, tolerance=0.2)(latents, atoms)
    query = latents, atoms.numbers
    expected = {
        "forces_uncertainty": estimator.predict(*query),
        "forces_uncertainty_upper": estimator.predict_quantile(latents, 0.8, atoms.numbers),
        "forces_error_probability": 1 - estimator.predict_cdf(latents, 0.2, atoms.numbers),
        "ood_score": estimator.ood_score(*query),
        "forces_uncertainty_max": estimator.predict(*query).max(),
        "forces_uncertainty_mean": estimator.predict(*query).mean(),
    }
    assert results.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(results[name], expected[name], rtol=1e-12, err_msg=name)


def test_the_expected_error_is_that_of_the_nearest_atoms_of_the_element(
    training, estimator, latents, atoms
):
    known, errors, elements = training
    distances = np.linalg.norm(known - latents[:, None], axis=2)
    distances[elements != atoms.numbers[:, None]] = np.inf
    nearest = np.argsort(distances, axis=1)[:, :8]
    results = Uncertainty(estimator)(latents, atoms)
    expected = errors[nearest].mean(axis=(1, 2))
    np.testing.assert_allclose(results["forces_uncertainty"], expected, rtol=0.02)  # binned


def test_an_estimator_without_strata_is_not_told_the_elements(training, latents, atoms):
    estimator = LTAUEstimator().fit(*training[:2])
    results = Uncertainty(estimator)(latents, atoms)
    np.testing.assert_array_equal(results["ood_score"], estimator.ood_score(latents))


def test_strata_may_come_from_a_function(training, latents, atoms):
    known, errors, elements = training
    symbols = np.where(elements == 79, "gold", "copper")
    estimator = LTAUEstimator().fit(known, errors, symbols)

    def strata(atoms):
        return np.where(atoms.numbers == 79, "gold", "copper")

    results = Uncertainty(estimator, strata=strata)(latents, atoms)
    expected = estimator.predict(latents, strata(atoms))
    np.testing.assert_allclose(results["forces_uncertainty"], expected)


def test_units_are_converted(estimator, latents, atoms):
    plain = Uncertainty(estimator, tolerance=0.2)(latents, atoms)
    converted = Uncertainty(estimator, tolerance=200.0, unit_factor=1000.0)(latents, atoms)
    for name in plain:
        factor = 1000 if name.startswith("forces_uncertainty") else 1
        np.testing.assert_allclose(converted[name], factor * plain[name], err_msg=name)


@pytest.mark.parametrize(
    ("options", "steps"), [({}, [0, 1, 2, 3, 4, 5, 6]), ({"every": 3}, [0, 3, 6])]
)
def test_uncertainty_is_given_in_every_so_many_steps(options, steps, estimator, latents, atoms):
    uncertainty = Uncertainty(estimator, **options)
    assert [step for step in range(7) if uncertainty(latents, atoms)] == steps


def test_uncertainty_can_be_switched_off_and_on(estimator, latents, atoms):
    uncertainty = Uncertainty(estimator, enabled=False)
    assert uncertainty(latents, atoms) == {}
    uncertainty.enabled = True
    assert uncertainty(latents, atoms).keys() == set(uncertainty.properties)


@pytest.mark.parametrize("options", [{}, {"tolerance": 0.1}, {"keep_latents": True}])
def test_properties_name_the_results(options, estimator, latents, atoms):
    uncertainty = Uncertainty(estimator, **options)
    assert set(uncertainty.properties) == uncertainty(latents, atoms).keys()


def test_what_is_attached_are_copies_and_none_of_an_earlier_step(estimator, latents, atoms):
    atoms.arrays["mine"] = np.arange(len(atoms))
    atoms.info["mine"] = 1
    arrays, info = set(atoms.arrays), set(atoms.info)
    uncertainty = Uncertainty(estimator, tolerance=0.1, keep_latents=True)
    results = uncertainty(latents, atoms)
    of_atoms = {name for name, value in results.items() if np.ndim(value)}
    uncertainty.attach(atoms, results)
    assert set(atoms.arrays) == arrays | of_atoms
    assert set(atoms.info) == info | (results.keys() - of_atoms)
    for name in of_atoms:
        np.testing.assert_array_equal(atoms.arrays[name], results[name])
        assert not np.shares_memory(atoms.arrays[name], results[name])
    uncertainty.attach(atoms, {"forces_uncertainty": results["forces_uncertainty"], "energy": 1.0})
    assert set(atoms.arrays) == arrays | {"forces_uncertainty"}
    assert set(atoms.info) == info
    uncertainty.attach(atoms, {})
    assert set(atoms.arrays) == arrays


def test_results_of_atoms_may_be_left_in_info_too(estimator, latents, atoms):
    uncertainty = Uncertainty(estimator, in_info=True)
    results = uncertainty(latents, atoms)
    uncertainty.attach(atoms, results)
    assert set(atoms.info) >= results.keys()
    np.testing.assert_array_equal(atoms.info["ood_score"], results["ood_score"])
    uncertainty.in_info = False
    uncertainty.attach(atoms, results)
    assert "ood_score" not in atoms.info


def test_an_element_that_was_not_seen_is_named(estimator, latents, atoms):
    atoms.symbols[[2, 5]] = ["Ag", "Pt"]
    with pytest.raises(ValueError, match=r"atoms of Cu, Au, got Ag, Pt: atoms 2, 5\."):
        Uncertainty(estimator)(latents, atoms)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_latents_that_are_not_finite_are_refused(bad, estimator, latents, atoms):
    latents[3, 1] = bad
    with pytest.raises(ValueError, match=r"NaN or infinity for atoms 3\."):
        Uncertainty(estimator)(latents, atoms)


@pytest.mark.parametrize("shape", [(7, 4), (8, 3), (8,)])
def test_latents_of_another_shape_are_refused(shape, estimator, atoms):
    with pytest.raises(ValueError, match=r"Expected latents of shape \(8, 4\), got"):
        Uncertainty(estimator)(np.zeros(shape), atoms)


def test_an_estimator_of_environments_is_given_them(training, latents, atoms, make_cluster):
    rows, errors, _ = training
    frames = [make_cluster(seed) for seed in range(40)]
    estimator = fit_structures(StructureSamples(frames, rows, errors), environment=3.0)
    given = environment_latents(latents, [atoms], 3.0)
    results = Uncertainty(estimator)(given, atoms)
    expected = estimator.predict(given, atoms.numbers)
    np.testing.assert_allclose(results["forces_uncertainty"], expected)
    message = r"shape \(8, 12\), as environment_latents gives with a cutoff of 3 Å, got \(8, 4\)"
    with pytest.raises(ValueError, match=message):
        Uncertainty(estimator)(latents, atoms)


def test_an_estimator_of_something_else_than_forces_is_refused(tmp_path):
    with pytest.raises(ValueError, match="errors of forces, got one of energy"):
        Uncertainty(fit_on_log(tmp_path, "energy", "eV"))


def test_an_estimator_in_another_unit_needs_a_factor(tmp_path, atoms, latents):
    estimator = fit_on_log(tmp_path, "forces", "meV/Å")
    with pytest.raises(ValueError, match=r"in eV/Å, got one in meV/Å: give unit_factor"):
        Uncertainty(estimator)
    results = Uncertainty(estimator, unit_factor=1e-3)(latents, atoms)
    expected = 1e-3 * estimator.predict(latents)
    np.testing.assert_allclose(results["forces_uncertainty"], expected)


def test_an_estimator_of_forces_is_taken(tmp_path):
    assert Uncertainty(fit_on_log(tmp_path, "forces", "eV/Å")).estimator.target_ == "forces"


def test_an_estimator_must_be_fitted():
    with pytest.raises(NotFittedError):
        Uncertainty(LTAUEstimator())


@pytest.mark.parametrize("strata", [["a", "b"], [-1, 2], [1, 500]])
def test_strata_that_are_no_elements_need_a_function(strata):
    latents = np.random.default_rng(0).normal(size=(40, 2))
    estimator = LTAUEstimator().fit(latents, np.ones((40, 2)), np.repeat(strata, 20))
    with pytest.raises(ValueError, match="strata are atomic numbers, got"):
        Uncertainty(estimator)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("level", 1.5, "level from 0 to 1, got 1.5"),
        ("level", "0.9", "level from 0 to 1, got '0.9'"),
        ("tolerance", 0.0, "positive, finite tolerance, got 0.0"),
        ("tolerance", np.nan, "positive, finite tolerance, got nan"),
        ("unit_factor", -1.0, "positive, finite unit_factor, got -1.0"),
        ("every", 0, "every to be an integer >= 1, got 0"),
        ("every", 2.0, "every to be an integer >= 1, got 2.0"),
        ("strata", "element", "callable, got 'element'"),
    ],
)
def test_options_out_of_range_are_refused(option, value, message, estimator):
    with pytest.raises(ValueError, match=message):
        Uncertainty(estimator, **{option: value})
