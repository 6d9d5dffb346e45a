"""MACE by LAMMPS' ML-IAP interface, on a stand-in of its data object."""

import importlib
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

from ase import Atoms
from ase.build import bulk

from ltau import LTAUEstimator
from ltau.adapters.mace import UncertainMACECalculator, UncertainMLIAP, fit_run, load_model

NAMES = ("forces_uncertainty", "forces_uncertainty_upper", "ood_score")
NUMBERS = [29, 79]
Ranks = runpy.run_path(str(Path(__file__).with_name("mliap.py")))["Ranks"]


def crystal():
    atoms = bulk("CuAu", "zincblende", 5.6).repeat((2, 2, 1))
    atoms.rattle(0.15, seed=3)
    return atoms


def molecule():
    atoms = Atoms("CuAuCuAu", [[0, 0, 0], [0, 2.5, 0], [2.4, 0, 0.3], [2.2, 2.6, 0.1]])
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.fixture(params=[None, 3.5], ids=["own latents", "environment"], scope="module")
def fitted(request, finished):
    return fit_run(finished, estimator=LTAUEstimator(n_neighbors=3), environment=request.param)


@pytest.mark.parametrize("n_ranks", [1, 2])
@pytest.mark.parametrize("make", [crystal, molecule])
def test_forces_and_uncertainty_are_those_of_ase(make, n_ranks, model, fitted):
    atoms, options = make(), {"level": 0.8, "unit_factor": 2.0}
    double = load_model(model).module.double()  # rounding is magnified where latents are whitened
    atoms.calc = UncertainMACECalculator.from_model(double, fitted, **options)
    ranks = Ranks(atoms, 4.0, NUMBERS, n_ranks)
    models = [UncertainMLIAP(double, fitted, **options) for _ in range(n_ranks)]
    energy, forces, results = ranks.run(models)
    np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-10)
    np.testing.assert_allclose(energy, atoms.get_potential_energy(), atol=1e-10)
    assert tuple(results) == NAMES
    for name in NAMES:
        np.testing.assert_allclose(results[name], atoms.calc.results[name], rtol=1e-5)


def test_a_model_that_is_given_stays_what_it_is(model, estimator):
    loaded, atoms = load_model(model), crystal()
    uncertain = UncertainMLIAP(loaded, estimator)
    Ranks(atoms, 4.0, NUMBERS).run([uncertain])
    assert not loaded.module.lammps_mliap
    atoms.calc = UncertainMACECalculator.from_model(loaded, estimator)
    assert np.isfinite(atoms.get_forces()).all()
    assert not uncertain.model.model._forward_hooks


def test_each_step_has_its_own_results(model, estimator):
    uncertain = UncertainMLIAP(model, estimator)
    Ranks(crystal(), 4.0, NUMBERS).run([uncertain])
    Ranks(molecule(), 4.0, NUMBERS).run([uncertain])
    again = UncertainMLIAP(model, estimator)
    Ranks(molecule(), 4.0, NUMBERS).run([again])
    for name in NAMES:
        np.testing.assert_array_equal(uncertain.results[name], again.results[name])
    apart = Atoms("CuAu", [[0, 0, 0], [0, 0, 9]])
    _, forces, results = Ranks(apart, 4.0, NUMBERS).run([uncertain])
    assert not forces.any()
    assert all(np.isnan(results[name]).all() for name in NAMES)
    _, _, results = Ranks(Atoms(), 4.0, NUMBERS).run([uncertain])
    assert all(results[name].shape == (0,) for name in NAMES)


class Columns:
    """What `publish` asks of LAMMPS: columns of atoms, with room for more."""

    def __init__(self, names, n_local):
        self.arrays = {name: np.full(n_local + 3, -1.0) for name in names}
        self.n_local = n_local
        self.numpy = SimpleNamespace(extract_atom=self.arrays.get)

    def extract_setting(self, name):
        return {"nlocal": self.n_local}[name]


def test_results_are_published_in_columns_of_lammps(model, estimator):
    uncertain = UncertainMLIAP(model, estimator)
    lmp = Columns(["d_ltau_unc", "d_ltau_upper", "d_ltau_ood"], 8)
    with pytest.raises(RuntimeError, match="Expected a step to be computed before"):
        uncertain.publish(lmp)
    Ranks(crystal(), 4.0, NUMBERS).run([uncertain])
    uncertain.publish(lmp)
    for values, name in zip(lmp.arrays.values(), NAMES, strict=True):
        np.testing.assert_array_equal(values[:8], uncertain.results[name])
        np.testing.assert_array_equal(values[8:], -1.0)
    with pytest.raises(ValueError, match=r"column d_ltau_upper, got none: define a fix property"):
        uncertain.publish(Columns(["d_ltau_unc"], 8))
    with pytest.raises(ValueError, match="the 5 atoms that LAMMPS has now, got 8"):
        uncertain.publish(Columns(lmp.arrays, 5))


def test_nothing_of_lammps_is_looked_for_before_the_class_is_asked_for(monkeypatch):
    """MACE's module does, and fails where LAMMPS does not find its libraries."""
    monkeypatch.delitem(sys.modules, "ltau.adapters.mace._mliap")
    monkeypatch.setitem(sys.modules, "mace.calculators.lammps_mliap_mace", None)
    module = importlib.reload(importlib.import_module("ltau.adapters.mace"))
    with pytest.raises(ModuleNotFoundError, match="lammps_mliap_mace"):
        module.UncertainMLIAP  # noqa: B018
    with pytest.raises(AttributeError, match=r"'ltau\.adapters\.mace' has no attribute 'other'"):
        module.other  # noqa: B018


def test_what_is_refused(model, estimator):
    with pytest.raises(ValueError, match=r"Expected a level from 0 to 1, got 2"):
        UncertainMLIAP(model, estimator, level=2)
    with pytest.raises(ValueError, match="a head of the model, 'Default', got 'other'"):
        UncertainMLIAP(model, estimator, head="other")
    with pytest.raises(FileNotFoundError):
        UncertainMLIAP("no.model", estimator)
    rows = np.random.default_rng(0).normal(size=(60, estimator.n_features_in_))
    copper = LTAUEstimator(3).fit(rows, np.ones((60, 5)), [29] * 60)
    if "environment" in estimator.notes_:
        copper.notes_["environment"] = estimator.notes_["environment"]
    with pytest.raises(ValueError, match="79"):
        Ranks(crystal(), 4.0, NUMBERS).run([UncertainMLIAP(model, copper)])
