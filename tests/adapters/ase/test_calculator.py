"""A wrapped calculator: the inner results as they are, and the uncertainty, in files too."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("ase")

from ase.build import bulk
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.md.verlet import VelocityVerlet

from ltau.adapters.ase import UncertainCalculator, Uncertainty

OF_ATOMS = ("forces_uncertainty", "forces_uncertainty_upper", "ood_score")


class CountingEMT(EMT):
    """EMT that counts its calculations."""

    n_calculations = 0

    def calculate(self, *args, **kwargs):
        self.n_calculations += 1
        super().calculate(*args, **kwargs)


@pytest.fixture
def uncertain(estimator, latents_of):
    """Wrap a calculator, EMT unless told otherwise."""

    def wrap(calculator=None, latents=latents_of, **options):
        return UncertainCalculator(calculator or CountingEMT(), estimator, latents, **options)

    return wrap


def moved(atoms, step):
    """Move the atoms, and calculate."""
    atoms.positions[0, 0] += 0.01 * step
    atoms.get_forces()
    return atoms


@pytest.mark.parametrize("inner", [EMT, LennardJones])
def test_results_of_the_inner_calculator_are_the_same_bits(inner, uncertain, atoms):
    plain, wrapped = atoms.copy(), atoms
    plain.calc, wrapped.calc = inner(), uncertain(inner())
    for _ in range(3):
        for structure in (plain, wrapped):
            structure.rattle(0.05, seed=3)
        for name in ("energy", "free_energy", "energies", "forces"):
            expected = plain.calc.get_property(name, plain)
            np.testing.assert_array_equal(wrapped.calc.get_property(name, wrapped), expected)
        assert wrapped.calc.results.keys() == plain.calc.results.keys()
        assert wrapped.calc.results.uncertainty.keys() == set(wrapped.calc.uncertainty.properties)


def test_stress_of_a_crystal_is_the_same_bits(uncertain):
    plain = bulk("Cu", cubic=True) * (2, 2, 2)
    plain.rattle(0.05)
    wrapped = plain.copy()
    plain.calc, wrapped.calc = EMT(), uncertain()
    np.testing.assert_array_equal(wrapped.get_stress(), plain.get_stress())


def test_uncertainty_is_that_of_the_latents(uncertain, estimator, latents_of, atoms):
    atoms.calc = uncertain(tolerance=0.2)
    expected = Uncertainty(estimator, tolerance=0.2)(latents_of(atoms), atoms)
    atoms.get_potential_energy()
    for name, value in expected.items():
        np.testing.assert_array_equal(atoms.calc.results[name], value)
        np.testing.assert_array_equal(atoms.calc.get_property(name, atoms), value)


def test_latents_are_asked_of_the_calculator_after_its_calculation(uncertain, latents_of, atoms):
    given = []

    def latents(atoms, calculator):
        given.append((calculator, calculator.results["forces"].copy()))
        return latents_of(atoms)

    inner = EMT()
    atoms.calc = uncertain(inner, latents)
    atoms.calc.get_property("forces_uncertainty", atoms)
    assert given[0][0] is inner
    np.testing.assert_array_equal(given[0][1], atoms.get_forces())


def test_nothing_is_computed_twice_for_the_same_atoms(uncertain, latents_of, atoms):
    calls = []

    def latents(atoms, calculator):
        calls.append(1)
        return latents_of(atoms)

    atoms.calc = uncertain(latents=latents)
    for _ in range(2):
        atoms.get_forces()
        atoms.get_potential_energy()
        atoms.calc.get_property("ood_score", atoms)
    assert atoms.calc.calculator.n_calculations == len(calls) == 1
    moved(atoms, 1)
    assert atoms.calc.calculator.n_calculations == len(calls) == 2


def test_uncertainty_comes_in_every_so_many_steps_and_leaves_nothing_stale(uncertain, atoms):
    atoms.calc = uncertain(every=3)
    given = []
    for step in range(7):
        moved(atoms, step + 1)
        assert ("forces_uncertainty" in atoms.arrays) == ("ood_score" in atoms.calc.results)
        given.append("forces_uncertainty" in atoms.arrays)
    assert given == [True, False, False, True, False, False, True]


def test_what_is_asked_for_by_name_is_computed_in_any_step(uncertain, latents_of, atoms, estimator):
    atoms.calc = uncertain(every=100)
    for step in range(3):
        moved(atoms, step + 1)
    calculations = atoms.calc.calculator.n_calculations
    expected = estimator.predict(latents_of(atoms), atoms.numbers)
    value = atoms.calc.get_property("forces_uncertainty", atoms)
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(atoms.arrays["forces_uncertainty"], expected)
    assert atoms.calc.calculator.n_calculations == calculations


def test_switched_off_it_computes_no_latents(uncertain, atoms):
    def latents(atoms, calculator):
        raise AssertionError

    atoms.calc = uncertain(latents=latents, enabled=False)
    atoms.get_forces()
    assert "forces_uncertainty" not in atoms.arrays
    with pytest.raises(PropertyNotImplementedError):
        atoms.calc.get_property("forces_uncertainty", atoms)


def test_results_outlive_a_later_calculation_of_the_inner_calculator(uncertain, atoms):
    atoms.calc = uncertain()
    forces = atoms.get_forces()
    other = atoms.copy()
    other.positions += np.random.default_rng(0).normal(scale=0.1, size=(8, 3))
    atoms.calc.calculator.get_forces(other)  # EMT writes into its array of forces
    np.testing.assert_array_equal(atoms.get_forces(), forces)


def test_atoms_that_equal_those_calculated_get_arrays_too(uncertain, atoms):
    calc = uncertain()
    calc.get_forces(atoms)
    twin = atoms.copy()
    del twin.arrays["forces_uncertainty"]
    calc.get_forces(twin)
    assert calc.calculator.n_calculations == 1
    np.testing.assert_array_equal(
        twin.arrays["forces_uncertainty"], atoms.arrays["forces_uncertainty"]
    )


@pytest.mark.parametrize("name", ["run.extxyz", "run.xyz", "run.traj"])
def test_results_come_back_from_files(name, uncertain, atoms, tmp_path):
    is_traj = name.endswith("traj")
    atoms.calc = uncertain(tolerance=0.2, keep_latents=True, in_info=is_traj)
    for step in range(2):
        moved(atoms, step)
        write(tmp_path / name, atoms)
        back = read(tmp_path / name)
        of_atoms = back.info if is_traj else back.arrays
        for key in (*OF_ATOMS, "forces_error_probability", "latents"):
            np.testing.assert_allclose(of_atoms[key], atoms.arrays[key], atol=1e-8)
        for key in ("forces_uncertainty_max", "forces_uncertainty_mean"):
            np.testing.assert_allclose(back.info[key], atoms.calc.results[key])
        np.testing.assert_allclose(back.get_forces(), atoms.get_forces(), atol=1e-8)


def test_ase_takes_the_results_for_properties(uncertain, atoms):
    """All at once, as i-PI's driver asks for them, and those of the inner calculator alone."""
    plain = atoms.copy()
    plain.calc, atoms.calc = EMT(), uncertain()
    names = ["energy", "forces", "free_energy"]
    found, expected = atoms.get_properties(names), plain.get_properties(names)
    assert found.keys() == expected.keys() >= set(names)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_array_equal(atoms.arrays["ood_score"], atoms.calc.results["ood_score"])


@pytest.mark.parametrize("name", ["run.extxyz", "run.traj"])
def test_results_are_kept_at_a_single_point(name, uncertain, atoms, tmp_path):
    """As workflows do, before the calculator goes on to another structure; then on disk."""
    atoms.calc = uncertain(in_info=True)
    forces, uncertainty = atoms.get_forces(), atoms.arrays["forces_uncertainty"].copy()
    kept = SinglePointCalculator(atoms, **atoms.calc.results)
    assert kept.results.keys() == atoms.calc.calculator.results.keys()
    atoms.calc = kept
    write(tmp_path / name, atoms)
    back = read(tmp_path / name)
    of_atoms = back.info if name.endswith("traj") else back.arrays
    np.testing.assert_allclose(back.get_forces(), forces, atol=1e-8)
    np.testing.assert_allclose(of_atoms["forces_uncertainty"], uncertainty, atol=1e-8)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_results_are_found_by_their_names(again, uncertain, atoms):
    calc = uncertain()
    calc.get_forces(atoms)
    results = again(calc.results)
    for name in (*OF_ATOMS, "forces"):
        assert name in results
        np.testing.assert_array_equal(results[name], calc.get_property(name, atoms))
        np.testing.assert_array_equal(results.get(name), results[name])
    assert "latents" not in results
    assert results.get("latents") is None
    assert results.get("latents", 5) == 5
    with pytest.raises(KeyError, match="latents"):
        results["latents"]


def test_what_comes_in_a_later_call_is_added(uncertain, atoms):
    """The stress of a crystal that was asked for its forces keeps the uncertainty."""
    crystal = bulk("Cu", cubic=True)
    calc = uncertain(EMT())
    calc.get_forces(crystal)
    expected = calc.results["ood_score"]
    for results in (calc.calculator.results, calc.results):
        results.pop("stress")  # as if it took a calculation of its own
    assert np.isfinite(calc.get_stress(crystal)).all()
    np.testing.assert_array_equal(calc.results["ood_score"], expected)


def test_the_trajectory_of_a_run_holds_the_results(uncertain, atoms, tmp_path):
    atoms.calc = uncertain(in_info=True)
    VelocityVerlet(atoms, 1.0, trajectory=str(tmp_path / "md.traj")).run(3)
    frames = read(tmp_path / "md.traj", ":")
    assert len(frames) == 4
    np.testing.assert_array_equal(frames[-1].info["ood_score"], atoms.arrays["ood_score"])


def test_an_infinite_score_comes_back_from_a_file(uncertain, atoms, tmp_path):
    atoms.calc = uncertain()
    atoms.get_forces()
    atoms.arrays["ood_score"][2] = np.inf  # of an atom whose neighbours are duplicates
    write(tmp_path / "run.xyz", atoms)
    assert read(tmp_path / "run.xyz").arrays["ood_score"][2] == np.inf


def test_a_step_without_uncertainty_leaves_none_in_files(uncertain, atoms, tmp_path):
    atoms.calc = uncertain(every=2)
    for step in range(2):
        moved(atoms, step + 1)
        write(tmp_path / f"{step}.xyz", atoms)
    assert "ood_score" in read(tmp_path / "0.xyz").arrays
    assert "ood_score" not in read(tmp_path / "1.xyz").arrays


def test_positions_that_are_not_finite_are_refused_before_any_calculation(uncertain, atoms):
    atoms.calc = uncertain()
    atoms.positions[0, 0] = np.nan
    with pytest.raises(ValueError, match="Expected finite positions"):
        atoms.get_forces()
    assert atoms.calc.calculator.n_calculations == 0


def test_a_failed_prediction_fails_again_and_leaves_no_arrays(uncertain, latents_of, atoms):
    def latents(atoms, calculator):
        values = latents_of(atoms)
        return values if atoms.positions[0, 0] < 1 else values[:-1]

    atoms.calc = uncertain(latents=latents)
    atoms.get_forces()
    atoms.positions[0, 0] = 1.5
    for _ in range(2):
        with pytest.raises(ValueError, match=r"latents of shape \(8, 4\), got \(7, 4\)"):
            atoms.get_forces()
        assert "forces_uncertainty" not in atoms.arrays


def test_a_calculator_without_forces_is_refused(uncertain):
    class Energies(Calculator):
        implemented_properties = ("energy",)

    with pytest.raises(ValueError, match=r"gives forces, got Energies, which gives \('energy',\)"):
        uncertain(Energies())


def test_latents_must_be_a_function(uncertain):
    with pytest.raises(TypeError, match="latents to be a callable"):
        uncertain(latents=np.zeros((8, 4)))


def test_a_calculation_needs_atoms(uncertain):
    with pytest.raises(ValueError, match="Expected atoms, got none"):
        uncertain().calculate()


def test_where_there_are_no_latents_nothing_is_known(uncertain, estimator, atoms):
    atoms.calc = uncertain(latents=lambda atoms, calculator: None, tolerance=0.2, keep_latents=True)
    plain = atoms.copy()
    plain.calc = EMT()
    np.testing.assert_array_equal(atoms.get_forces(), plain.get_forces())
    for name in (*OF_ATOMS, "forces_error_probability"):
        assert atoms.arrays[name].shape == (len(atoms),)
        assert np.isnan(atoms.arrays[name]).all()
    assert np.isnan(atoms.info["forces_uncertainty_max"])
    assert atoms.arrays["latents"].shape == (len(atoms), estimator.n_features_in_)


def test_results_that_ase_does_not_know_are_found_by_their_names(uncertain, atoms):
    """As MACE gives node_energy."""

    class Talkative(EMT):
        implemented_properties = (*EMT.implemented_properties, "node_energy")

        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["node_energy"] = np.ones(len(self.atoms))

    atoms.calc = uncertain(Talkative())
    assert atoms.get_properties(["energy"])["energy"] == atoms.get_potential_energy()
    SinglePointCalculator(atoms, **atoms.calc.results)
    results = copy.deepcopy(atoms.calc.results)
    assert "node_energy" in results
    assert "node_energy" not in dict(results)
    np.testing.assert_array_equal(results["node_energy"], 1)
    np.testing.assert_array_equal(results.get("node_energy"), 1)
    assert results.get("dipole", "none") == "none"
