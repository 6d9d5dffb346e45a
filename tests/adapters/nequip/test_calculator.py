"""Energy and forces of NequIP with their uncertainty, in one pass."""

import ase.io
import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from ase import units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.verlet import VelocityVerlet
from nequip.integrations.ase import NequIPCalculator
from nequip.utils import torch_default_dtype

from ltau import LTAUEstimator
from ltau.adapters.nequip import UncertainNequIPCalculator, fit_run, latents, load_model
from ltau.structures import environment_cutoff, environment_latents

ENVIRONMENT = 3.0  # Å
EPOCHS = 4  # of the training `run`
OF_ATOMS = ("forces_uncertainty", "forces_uncertainty_upper", "ood_score")
OF_STRUCTURE = ("forces_uncertainty_max", "forces_uncertainty_mean")


def fit_to(run, environment):
    options = {"checkpoint": run.checkpoint, "estimator": LTAUEstimator(5), "strata": "elements"}
    return fit_run(run.evals, environment=environment, **options)


@pytest.fixture(scope="module")
def of_own_latents(run):
    return fit_to(run, None)


@pytest.fixture(scope="module")
def of_environments(run):
    return fit_to(run, ENVIRONMENT)


@pytest.fixture(params=["of_own_latents", "of_environments"])
def estimator(request):
    """Of either kind, for what differs between them."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def calculator(model, estimator):
    return UncertainNequIPCalculator.from_model(model, estimator)


def calculated(calculator, atoms):
    """All results for a copy of the atoms."""
    atoms = atoms.copy()
    atoms.calc = calculator
    atoms.get_potential_energy()
    return {**calculator.results, **calculator.results.uncertainty}


def plain(model, atoms, **settings):
    """What nequip's own calculator gives, in the state that nequip sets."""
    calculator = NequIPCalculator(model.module, "cpu", transforms=model.transforms, **settings)
    with torch_default_dtype(torch.float64):
        calculator.calculate(atoms.copy())
    return calculator.results


def fitted(model, frames, *, strata=True):
    """An estimator without notes."""
    features = latents(model, frames)
    errors = np.random.default_rng(0).exponential(size=(len(features), 30))
    elements = np.concatenate([atoms.numbers for atoms in frames]) if strata else None
    return LTAUEstimator(5).fit(features, errors, elements)


def test_the_plain_results_are_bit_for_bit_those_of_nequip(loaded, estimator, frames):
    """Of crystals and of molecules, whose stress is NaN."""
    calculator = UncertainNequIPCalculator.from_model(loaded, estimator)
    for atoms in frames[:4]:
        found, expected = calculated(calculator, atoms), plain(loaded, atoms)
        assert {"energy", "energies", "free_energy", "forces", "stress"} == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
        assert np.isfinite(found["stress"]).all() == atoms.pbc.all()


def test_a_model_in_float64(run64, frames):
    model = load_model(run64)
    calculator = UncertainNequIPCalculator.from_model(model, fitted(model, frames))
    for atoms in frames[:4]:
        found = calculated(calculator, atoms)
        for name, value in plain(model, atoms).items():
            np.testing.assert_array_equal(found[name], value)
        assert found["forces_uncertainty"].min() > 0


def test_the_uncertainty_is_that_of_the_estimator(model_path, loaded, estimator, frames):
    """Of the latents that `latents` gives, and their environments."""
    calculator = UncertainNequIPCalculator.from_model(
        model_path, estimator, level=0.8, tolerance=0.5
    )
    for atoms in frames[-4:]:
        found = calculated(calculator, atoms)
        z = latents(loaded, [atoms])
        if environment_cutoff(estimator) is not None:
            z = environment_latents(z, [atoms], ENVIRONMENT)
        expected = estimator.predict(z, atoms.numbers)
        close = {"rtol": 1e-4, "atol": 0}
        np.testing.assert_allclose(found["forces_uncertainty"], expected, **close)
        np.testing.assert_allclose(found["forces_uncertainty_max"], expected.max(), **close)
        np.testing.assert_allclose(found["forces_uncertainty_mean"], expected.mean(), **close)
        upper = estimator.predict_quantile(z, 0.8, atoms.numbers)
        np.testing.assert_allclose(found["forces_uncertainty_upper"], upper, **close)
        above = 1 - estimator.predict_cdf(z, 0.5, atoms.numbers)
        np.testing.assert_allclose(found["forces_error_probability"], above, rtol=1e-4, atol=1e-9)
        score = estimator.ood_score(z, atoms.numbers)
        np.testing.assert_allclose(found["ood_score"], score, rtol=1e-3, atol=0)


def test_without_strata(model, frames):
    calculator = UncertainNequIPCalculator.from_model(model, fitted(model, frames, strata=False))
    expected = calculator.uncertainty.estimator.predict(latents(model, frames[:1]))
    found = calculated(calculator, frames[0])
    np.testing.assert_allclose(found["forces_uncertainty"], expected, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_symmetries(calculator, frames, seed):
    """Rotated, shifted and renumbered, the atoms keep their uncertainties."""
    rng = np.random.default_rng(seed)
    atoms = frames[rng.integers(len(frames))].copy()
    atoms.rattle(0.05, seed=seed)
    order = rng.permutation(len(atoms))
    other = atoms[order]
    other.rotate(rng.uniform(0, 360), rng.normal(size=3), rotate_cell=True)
    other.translate(rng.normal(size=3))
    expected, found = calculated(calculator, atoms), calculated(calculator, other)
    for name in OF_ATOMS:
        np.testing.assert_allclose(found[name], expected[name][order], rtol=1e-5, atol=0)
    for name in OF_STRUCTURE:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["a.extxyz", "a.traj"])
def test_it_reaches_files(model, estimator, frames, tmp_path, name):
    atoms = frames[0].copy()
    atoms.calc = UncertainNequIPCalculator.from_model(model, estimator, in_info=True)
    atoms.get_forces()
    results = atoms.calc.results
    ase.io.write(tmp_path / name, atoms)
    again = ase.io.read(tmp_path / name)
    for key in (*OF_ATOMS, *OF_STRUCTURE):
        found = again.arrays[key] if key in again.arrays else again.info[key]
        np.testing.assert_allclose(found, results[key], rtol=1e-6)
    np.testing.assert_allclose(again.get_forces(), results["forces"], atol=1e-7)


@pytest.mark.parametrize("crystal", [True, False])
def test_ase_takes_the_results(loaded, estimator, frames, tmp_path, crystal):
    """For properties, and at a single point, whose file has the uncertainty too."""
    atoms = frames[0 if crystal else 1].copy()
    assert atoms.pbc.all() == crystal
    atoms.calc = UncertainNequIPCalculator.from_model(loaded, estimator)
    expected = plain(loaded, atoms)
    found = atoms.get_properties(["energy", "forces"])
    assert found.keys() == {"natoms", *expected}
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
    uncertainty = atoms.calc.results["forces_uncertainty"]
    atoms.calc = SinglePointCalculator(atoms, **atoms.calc.results)
    ase.io.write(tmp_path / "a.extxyz", atoms)
    again = ase.io.read(tmp_path / "a.extxyz")
    np.testing.assert_allclose(again.get_forces(), expected["forces"], atol=1e-7)
    np.testing.assert_allclose(again.arrays["forces_uncertainty"], uncertainty, rtol=1e-6)


def test_every_so_many_steps_and_never(calculator, model, estimator, frames):
    """Where there is none, no array of an earlier step stays; who asks for it gets it."""
    sparse = UncertainNequIPCalculator.from_model(model, estimator, every=2)
    atoms = frames[0].copy()
    atoms.calc = sparse
    seen = []
    for _ in range(5):
        atoms.positions[0] += 0.01
        atoms.get_forces()
        seen.append("forces_uncertainty" in sparse.results)
        assert ("ood_score" in atoms.arrays) == seen[-1]
    assert seen == [True, False, True, False, True]
    atoms.positions[0] += 0.01
    atoms.get_forces()
    assert "forces_uncertainty" not in sparse.results
    asked = sparse.get_property("forces_uncertainty", atoms)
    np.testing.assert_array_equal(asked, calculated(calculator, atoms)["forces_uncertainty"])
    with pytest.raises(PropertyNotImplementedError):
        sparse.get_property("forces_error_probability", atoms)  # for want of a tolerance
    sparse.uncertainty.enabled = False
    for _ in range(3):
        atoms.positions[0] += 0.01
        atoms.get_forces()
        assert not sparse.results.uncertainty
        assert not set(OF_ATOMS) & atoms.arrays.keys()


def test_units(model, estimator, frames):
    """A model in other units: its errors are converted as its forces are."""
    settings = {"energy_units_to_eV": 3.0, "length_units_to_A": 0.5}
    calculator = UncertainNequIPCalculator.from_model(model, estimator, tolerance=3.0, **settings)
    reference = UncertainNequIPCalculator.from_model(model, estimator, tolerance=0.5)
    found, expected = calculated(calculator, frames[0]), calculated(reference, frames[0])
    for name, value in plain(model, frames[0], **settings).items():
        np.testing.assert_array_equal(found[name], value)
    for name in ("forces", *OF_ATOMS[:2], *OF_STRUCTURE):
        np.testing.assert_allclose(found[name], 6.0 * expected[name], rtol=1e-12)
    for name in ("ood_score", "forces_error_probability"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


def test_the_default_dtype_does_not_matter(model, of_environments, frames):
    """Nequip by itself would round the positions to float32."""
    calculator = UncertainNequIPCalculator.from_model(model, of_environments)
    assert torch.get_default_dtype() == torch.float32
    found = calculated(calculator, frames[0])
    calculator.reset()
    with torch_default_dtype(torch.float64):
        expected = calculated(calculator, frames[0])
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_nequips_own_constructors(run, compiled, of_own_latents, frames):
    settings = {"estimator": of_own_latents, "chemical_species_to_atom_type_map": True}
    with torch_default_dtype(torch.float64):
        made = [
            UncertainNequIPCalculator.from_compiled_model(compiled, **settings),
            UncertainNequIPCalculator._from_saved_model(run.checkpoint, **settings),
        ]
    for calculator, path in zip(made, (compiled, run.checkpoint), strict=True):
        direct = UncertainNequIPCalculator.from_model(path, of_own_latents)
        found, expected = calculated(calculator, frames[0]), calculated(direct, frames[0])
        np.testing.assert_array_equal(found["forces_uncertainty"], expected["forces_uncertainty"])


def test_the_estimator_of_another_checkpoint(of_own_latents, train, tmp_path, frames):
    """Trained one epoch more, the model has other latents."""
    checkpoints = lightning.callbacks.ModelCheckpoint(dirpath=tmp_path, save_last=True)
    train(tmp_path, frames, [checkpoints], epochs=EPOCHS + 1, model={"num_layers": 2})
    with pytest.raises(ValueError, match="belongs to another model, or another checkpoint"):
        UncertainNequIPCalculator.from_model(tmp_path / "last.ckpt", of_own_latents)


def test_an_estimator_of_other_elements(run, of_own_latents):
    nickel = load_model(run.checkpoint, chemical_species_to_atom_type_map={"Ni": "Cu"})
    with pytest.raises(ValueError, match=r"knows Ni, got .* structure that the estimator was fit"):
        UncertainNequIPCalculator.from_model(nickel, of_own_latents)


def test_latents_of_another_width(model):
    rng = np.random.default_rng(0)
    other = LTAUEstimator(5).fit(rng.random((20, 3)), rng.random((20, 4)))
    with pytest.raises(ValueError, match=r"latents of width 3, .* got 8"):
        UncertainNequIPCalculator.from_model(model, other)


def test_environments_beyond_the_models_cutoff(model, frames):
    own = fitted(model, frames)
    own.notes_["environment"] = 4.5
    with pytest.raises(ValueError, match=r"within the model's cutoff, 4, got one of 4\.5"):
        UncertainNequIPCalculator.from_model(model, own)


def test_an_estimator_of_energies(run, model):
    energies = fit_run(
        run.evals, checkpoint=run.checkpoint, target="energy", estimator=LTAUEstimator(5)
    )
    with pytest.raises(ValueError, match="fitted on errors of forces, got one of energy"):
        UncertainNequIPCalculator.from_model(model, energies)


def test_a_model_without_forces(forceless, of_own_latents):
    with pytest.raises(ValueError, match="Expected a model that gives forces, got"):
        UncertainNequIPCalculator.from_model(forceless, of_own_latents)


def test_bad_settings(model, of_own_latents):
    with pytest.raises(ValueError, match="Expected a level from 0 to 1, got 90"):
        UncertainNequIPCalculator.from_model(model, of_own_latents, level=90)


def test_bad_structures(calculator, frames):
    """An error leaves no results, which ASE would take for those of the structure."""
    nan = frames[0].copy()
    nan.positions[1] = np.nan
    strange = frames[0].copy()
    strange.numbers[1] = 28
    cases = {"NaN or infinity": nan, "The model knows Cu, Au, got Ni": strange}
    for message, atoms in cases.items():
        atoms.calc = calculator
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                atoms.get_forces()
        assert not calculator.results


def test_an_element_that_the_estimator_has_not_seen(model, frames):
    copper = [atoms.copy() for atoms in frames]
    for atoms in copper:
        atoms.symbols = "Cu"
    estimator = fitted(model, copper)
    calculator = UncertainNequIPCalculator.from_model(model, estimator)
    atoms = frames[0].copy()
    atoms.calc = calculator
    for _ in range(2):
        with pytest.raises(ValueError, match="fitted on atoms of Cu, got Au"):
            atoms.get_potential_energy()
    assert not calculator.results


def test_molecular_dynamics_leaks_no_memory(compiled, of_environments, frames, growth_of):
    """1,000 steps, the last of them traced, once Python's own pools are full."""
    atoms = frames[0].copy()
    atoms.calc = UncertainNequIPCalculator.from_model(compiled, of_environments)
    dynamics = VelocityVerlet(atoms, timestep=0.5 * units.fs)
    dynamics.run(600)
    assert growth_of(lambda: dynamics.run(100)) < 100 * 100  # bytes: less than an array a step
    assert set(OF_ATOMS) <= atoms.arrays.keys()
