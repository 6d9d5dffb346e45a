"""Uncertainties beside MACE's own forces, in one pass."""

import copy
import io

import ase.io
import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

import torch
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from mace.calculators import MACECalculator

from ltau import LTAUEstimator
from ltau.adapters.ase import Uncertainty
from ltau.adapters.mace import UncertainMACECalculator, fit_run, latents, load_model


def plain(model, **options):
    return MACECalculator(model_paths=str(model), device="cpu", default_dtype="float32", **options)


@pytest.fixture
def calculator(model, estimator):
    return UncertainMACECalculator.from_model(model, estimator, keep_latents=True)


@pytest.fixture
def passes(calculator):
    """A list to which each pass of the model adds."""
    counted = []
    calculator.calculator.models[0].register_forward_hook(lambda *_: counted.append(1))
    return counted


def bare(frame):
    return Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)


def test_forces_are_maces_own_and_uncertainties_those_of_the_estimator(
    calculator, passes, model, estimator, frames
):
    cutoff = estimator.notes_["environment"]
    for number, frame in enumerate(frames[:4], start=1):
        atoms, other = bare(frame), bare(frame)
        atoms.calc, other.calc = calculator, plain(model)
        np.testing.assert_array_equal(atoms.get_forces(), other.get_forces())
        assert atoms.get_potential_energy() == other.get_potential_energy()
        np.testing.assert_array_equal(atoms.get_stress(), other.get_stress())
        assert len(passes) == number
        rows = latents(model, [atoms], environment=cutoff)
        np.testing.assert_allclose(atoms.arrays["latents"], rows, atol=1e-5)
        expected = Uncertainty(estimator).predict(atoms.arrays["latents"], atoms)
        for name in ("forces_uncertainty", "forces_uncertainty_upper", "ood_score"):
            np.testing.assert_array_equal(calculator.results[name], expected[name])


def test_results_reach_files_and_other_calculators(calculator, frames):
    atoms = bare(frames[0])
    atoms.calc = calculator
    assert atoms.get_properties(["energy", "forces"])["energy"] == atoms.get_potential_energy()
    SinglePointCalculator(atoms, **calculator.results)
    assert calculator.results["node_energy"].shape == (3,)  # MACE's, which ASE does not know
    text = io.StringIO()
    ase.io.write(text, atoms, format="extxyz")
    kept = ase.io.read(io.StringIO(text.getvalue()), format="extxyz")
    np.testing.assert_allclose(
        kept.arrays["forces_uncertainty"], atoms.arrays["forces_uncertainty"], atol=1e-7
    )


@pytest.mark.parametrize("environment", [None, 3.5])
def test_of_atoms_without_neighbours_nothing_is_known(finished, model, environment):
    fitted = fit_run(
        finished, estimator=LTAUEstimator(n_neighbors=3), environment=environment, strata=None
    )
    for atoms in (Atoms("Cu"), Atoms("CuAu", [[0, 0, 0], [0, 0, 9.0]])):
        other = atoms.copy()
        atoms.calc = UncertainMACECalculator.from_model(model, fitted)
        other.calc = plain(model)
        np.testing.assert_array_equal(atoms.get_forces(), other.get_forces())
        assert atoms.get_potential_energy() == other.get_potential_energy()
        assert np.isnan(atoms.arrays["forces_uncertainty"]).all()
        assert np.isnan(atoms.calc.results["forces_uncertainty_max"])


def test_padding_is_cut_off(model, estimator, calculator, frames):
    padded = plain(model, pad_num_atoms=9, pad_num_edges=200)
    uncertain = UncertainMACECalculator(padded, estimator, keep_latents=True)
    for frame in frames[:2]:
        atoms, other = bare(frame), bare(frame)
        atoms.calc, other.calc = uncertain, calculator
        atoms.get_forces(), other.get_forces()
        for name in ("forces_uncertainty", "ood_score", "latents"):
            np.testing.assert_allclose(atoms.arrays[name], other.arrays[name], rtol=1e-3, atol=1e-5)


def test_every_so_many_steps(model, estimator, frames):
    uncertain = UncertainMACECalculator.from_model(model, estimator, every=2)
    atoms = bare(frames[0])
    atoms.calc = uncertain
    seen = []
    for _ in range(4):
        atoms.rattle(0.01, seed=len(seen))
        atoms.get_forces()
        seen.append("forces_uncertainty" in atoms.arrays)
    assert seen == [True, False, True, False]
    assert uncertain.get_property("forces_uncertainty", atoms).shape == (3,)


def test_what_the_inner_calculator_knows_already_is_looked_at_again(calculator, frames):
    atoms, other = bare(frames[0]), bare(frames[1])
    atoms.calc = other.calc = calculator
    atoms.get_forces()
    calculator.calculator.get_property("forces", other)
    other.get_forces()
    expected = calculator.results["forces_uncertainty"]
    calculator.reset()
    calculator.calculator.reset()
    other.get_forces()
    np.testing.assert_array_equal(calculator.results["forces_uncertainty"], expected)
    assert len(expected) == len(other)


def test_weights_of_another_type(model, estimator, frames):
    uncertain = UncertainMACECalculator.from_model(model, estimator, dtype="float64")
    atoms = bare(frames[0])
    atoms.calc = uncertain
    atoms.get_forces()
    assert next(uncertain.calculator.models[0].parameters()).dtype == torch.float64
    assert np.isfinite(atoms.arrays["forces_uncertainty"]).all()


def test_an_estimator_of_another_model_is_refused(model, estimator):
    other = load_model(model).module
    with torch.no_grad():
        for weights in other.parameters():
            weights.mul_(1.05)
    with pytest.raises(ValueError, match="belongs to another model"):
        UncertainMACECalculator.from_model(other, estimator)
    narrow = LTAUEstimator(n_neighbors=2).fit(
        np.random.default_rng(0).normal(size=(9, 3)), [[1.0]] * 9
    )
    with pytest.raises(ValueError, match="latents of width 3"):
        UncertainMACECalculator.from_model(model, narrow)


def test_heads_are_those_of_the_estimator(model, estimator):
    other = copy.deepcopy(estimator)
    other.notes_ = {**estimator.notes_, "head": "other"}
    with pytest.raises(ValueError, match="a head of the model, 'Default', got 'other'"):
        UncertainMACECalculator.from_model(model, other)
    with pytest.raises(ValueError, match="Expected the head 'other'"):
        UncertainMACECalculator(plain(model), other)
    several = load_model(model).module
    several.heads = ["pt_head", "Default", "default"]
    unnamed = copy.deepcopy(estimator)
    unnamed.notes_ = {key: estimator.notes_[key] for key in ("environment", "probe")}
    with pytest.raises(ValueError, match="several heads, 'pt_head', 'Default', 'default': give"):
        UncertainMACECalculator.from_model(several, unnamed)


def test_other_calculators_are_refused(model, estimator):
    with pytest.raises(TypeError, match="a MACECalculator, got LennardJones"):
        UncertainMACECalculator(LennardJones(), estimator)
    committee = MACECalculator(model_paths=[str(model)] * 2, device="cpu", default_dtype="float32")
    with pytest.raises(ValueError, match="one model, got a committee of 2"):
        UncertainMACECalculator(committee, estimator)
    with pytest.raises(ValueError, match="in eV and Å"):
        UncertainMACECalculator(plain(model, energy_units_to_eV=27.2), estimator)


def test_what_the_model_does_not_know_is_refused(calculator, frames):
    atoms = bare(frames[0])
    atoms.calc = calculator
    atoms.positions[0] = np.nan
    with pytest.raises(ValueError, match="finite positions"):
        atoms.get_forces()
    water = Atoms("OH2", np.eye(3), calculator=calculator)
    with pytest.raises(ValueError, match="The model knows Cu, Au, got H, O"):
        water.get_forces()
