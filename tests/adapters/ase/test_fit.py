"""An estimator from labelled frames and calculators, against what its parts give."""

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from ltau import ErrorLog, LTAUEstimator
from ltau.adapters.ase import (
    UncertainCalculator,
    errors_from_checkpoints,
    fit_frames,
    runs_calculator,
)
from ltau.metrics import spearman
from ltau.structures import StructureSamples, environment_latents, fit_structures


def pair_potential(sigma):
    return LennardJones(epsilon=0.1, sigma=sigma, rc=8.0)


def label(atoms, forces):
    atoms.calc = SinglePointCalculator(atoms, forces=forces)
    return atoms


@pytest.fixture(scope="module")
def stages():
    return [pair_potential(sigma) for sigma in (2.0, 2.1, 2.2, 2.25)]


@pytest.fixture(scope="module")
def frames(make_cluster):
    """Labelled clusters, of six molecules five times each."""
    true = pair_potential(2.3)
    made = [make_cluster(seed) for seed in range(30)]
    for number, atoms in enumerate(made):
        label(atoms, true.get_forces(atoms)).info["system"] = number % 6
    return made


def predictions(estimator, frames, latents_of):
    rows = np.concatenate([latents_of(atoms) for atoms in frames])
    if estimator.notes_["environment"] is not None:
        rows = environment_latents(rows, frames, estimator.notes_["environment"])
    strata = np.concatenate([a.numbers for a in frames])
    return estimator.predict(rows, None if estimator.strata_ is None else strata)


@pytest.mark.parametrize("environment", [None, 3.0])
def test_it_is_what_its_parts_give(frames, stages, latents_of, environment):
    known, new = frames[:24], frames[24:]
    options = {"estimator": LTAUEstimator(5), "strata": None, "environment": environment}
    found = fit_frames(known, iter(stages), latents_of, held_out=new, **options)

    def samples(calculators, structures):
        rows = np.concatenate([latents_of(atoms) for atoms in structures]).astype(np.float32)
        errors = errors_from_checkpoints(calculators, structures)
        return StructureSamples(structures, rows, errors)

    expected = fit_structures(samples(stages, known), samples(stages[-1:], new), **options)
    np.testing.assert_array_equal(
        predictions(found, new, latents_of), predictions(expected, new, latents_of)
    )
    assert (found.target_, found.unit_) == ("forces", "eV/Å")
    assert found.notes_["n_checkpoints"] == 4
    assert found.notes_["n_held_out"] == 6


def test_one_finished_model_is_calibrated_or_refused(frames, stages, latents_of):
    """Of errors that are a fifth too small, held-out frames make ones that are right."""
    with pytest.raises(ValueError, match=r"to calibrate with, where there is one calculator"):
        fit_frames(frames, stages[-1], latents_of)
    known, new, test = frames[:15], frames[15:22], frames[22:]
    small = [label(atoms.copy(), 0.8 * atoms.calc.results["forces"]) for atoms in known]
    fitted = fit_frames(known, stages[-1], latents_of, held_out=new, environment=None)
    assert fitted.notes_["n_checkpoints"] == 1
    too_small = fit_frames(small, stages[-1], latents_of, held_out=new, environment=None)
    errors = errors_from_checkpoints(stages[-1:], test)[:, 0]
    for estimator in (fitted, too_small):
        expected = predictions(estimator, test, latents_of)
        assert expected.mean() == pytest.approx(errors.mean(), rel=0.3)
        assert spearman(errors, expected) > 0.4


def test_a_share_is_split_off_by_groups(frames, stages, latents_of):
    fitted = fit_frames(
        frames, stages[-1], latents_of, held_out=0.3, groups="system", environment=None
    )
    assert fitted.notes_["n_held_out"] == 10  # two of six systems
    assert fitted.n_samples_fit_ == 20 * 8
    again = fit_frames(
        frames, stages[-1], latents_of, held_out=0.3, groups="system", environment=None
    )
    np.testing.assert_array_equal(
        predictions(fitted, frames, latents_of), predictions(again, frames, latents_of)
    )


def test_errors_that_were_recorded_take_the_place_of_checkpoints(frames, stages, latents_of):
    """Those of the calculators, as an array and as a log."""
    errors = errors_from_checkpoints(stages, frames)
    expected = predictions(fit_frames(frames, stages, latents_of), frames, latents_of)
    found = fit_frames(frames, stages[-1], latents_of, errors=errors)
    assert found.notes_["n_checkpoints"] == 4
    np.testing.assert_array_equal(predictions(found, frames, latents_of), expected)
    for given, options, message in (
        (stages, {"errors": errors}, "the finished model alone .* got 4 calculators"),
        (stages[-1], {"errors": errors[:, 0]}, r"shape \(n_atoms, n_epochs\), got \(240,\)"),
        (stages[-1], {"errors": errors[1:]}, "errors of 240 samples, got 239"),
        (stages[-1], {"errors": errors, "held_out": 0.2}, "where errors are given, got a share"),
        (stages[-1], {"errors": errors[:, :1]}, "where there is one calculator"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_frames(frames, given, latents_of, **options)


def test_a_log_of_errors_is_read(frames, stages, latents_of, tmp_path):
    errors = errors_from_checkpoints(stages, frames)
    with ErrorLog(tmp_path / "log", len(errors)) as log:
        for epoch, column in enumerate(errors.T):
            log.record(np.arange(len(errors)), column)
            log.end_epoch(epoch)
        found = fit_frames(frames, stages[-1], latents_of, errors=log)
    expected = fit_frames(frames, stages[-1], latents_of, errors=errors.astype(np.float32))
    assert found.notes_["n_checkpoints"] == 4
    np.testing.assert_allclose(
        *(predictions(each, frames, latents_of) for each in (found, expected)), rtol=1e-5
    )


class Counting(LennardJones):
    """Counts its passes, and keeps one number of each for latents."""

    n_passes = 0

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.n_passes += 1


def test_latents_and_errors_come_from_one_pass(frames, latents_of):
    @runs_calculator
    def latents(atoms, calculator):
        calculator.reset()
        calculator.get_property("forces", atoms)
        return latents_of(atoms)

    stages = [Counting(epsilon=0.1, sigma=sigma) for sigma in (2.1, 2.2)]
    fit_frames(frames, stages, latents, invariant=False)
    assert [stage.n_passes for stage in stages] == [30, 30]


def test_checkpoints_may_be_loaded_into_one_model(frames, stages, latents_of):
    """Each calculator is done with before the next is asked for."""

    def loaded():
        weights = {}
        for stage in stages:
            weights["sigma"] = stage.parameters.sigma
            yield OfWeights(weights)

    rows = fit_frames(frames, loaded(), latents_of), fit_frames(frames, stages, latents_of)
    np.testing.assert_array_equal(*(predictions(each, frames, latents_of) for each in rows))
    with pytest.raises(ValueError, match="where there is one calculator"):
        fit_frames(frames, iter(stages[:1]), latents_of)


class OfWeights(Calculator):
    """A pair potential whose width is found elsewhere, when it computes."""

    implemented_properties = ("energy", "forces")

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results["forces"] = pair_potential(self.weights["sigma"]).get_forces(atoms)


def test_the_calculator_makes_environments_and_knows_its_model(frames, stages, latents_of):
    fitted = fit_frames(frames, stages, latents_of, environment=3.0)
    atoms = frames[0].copy()
    atoms.calc = UncertainCalculator(stages[-1], fitted, latents_of)
    atoms.get_forces()
    np.testing.assert_allclose(
        atoms.arrays["forces_uncertainty"], predictions(fitted, [atoms], latents_of), rtol=1e-6
    )

    def of_another(atoms, calculator):
        return 1.1 * latents_of(atoms)

    with pytest.raises(ValueError, match="belongs to another model"):
        UncertainCalculator(stages[-1], fitted, of_another)
    with pytest.raises(ValueError, match="latents of width 12"):
        UncertainCalculator(stages[-1], fitted, lambda atoms, c: latents_of(atoms)[:, :2])


def test_an_estimator_survives_its_file(frames, stages, latents_of, tmp_path):
    fitted = fit_frames(frames, stages, latents_of)
    fitted.save(tmp_path / "frames.ltau")
    loaded = LTAUEstimator.load(tmp_path / "frames.ltau")
    assert loaded.notes_ == fitted.notes_
    UncertainCalculator(stages[-1], loaded, latents_of)


class Energies(Calculator):
    """Gives no forces."""

    implemented_properties = ("energy",)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results["energy"] = 0.0


def wider_with_sigma(latents_of):
    """Latents of models of two sizes."""

    def latents(atoms, calculator):
        return latents_of(atoms)[:, : 3 if calculator.parameters.sigma < 2.15 else 4]

    return latents


def test_what_cannot_be_fitted_is_refused(frames, stages, latents_of):
    bare = [frames[0], frames[1].copy()]
    cases = [
        (frames, [], {}, ValueError, "at least one calculator, got none"),
        ([], stages, {}, ValueError, "at least one structure in frames, got none"),
        (frames[0], stages, {}, TypeError, "frames to be a list of ase.Atoms, got Atoms"),
        (bare, stages, {}, ValueError, "labels of every frame, got none of frame 1"),
        (frames, [Energies()], {"held_out": 0.2}, ValueError, "forces, got calculator 0, a Ener"),
        (frames, [*stages, Energies()], {}, ValueError, "forces, got calculator 4, a Energies"),
        (frames, [stages[0]] * 2, {}, ValueError, "for each checkpoint, got one twice in a row"),
        (frames, stages, {"held_out": frames[3:5]}, ValueError, "got 2 of 2 that are: the first"),
        (frames, stages, {"held_out": bare}, ValueError, "got none of frame 1"),
        (frames, stages, {"held_out": 1.5}, ValueError, r"or a share in \(0, 1\), got 1.5"),
        (frames[:1], stages, {"held_out": 0.5}, ValueError, "to learn from besides those split"),
        (frames, stages, {"groups": "town"}, ValueError, "'town' in the info of all structures"),
        (frames, stages, {"environment": -1.0}, ValueError, "environment"),
    ]
    for structures, calculators, options, error, message in cases:
        with pytest.raises(error, match=message):
            fit_frames(structures, calculators, latents_of, **options)


def test_latents_of_other_kinds_are_refused(frames, stages, latents_of):
    for latents, message in {
        wider_with_sigma(latents_of): "latents of width 3, got 4 from calculator 2",
        (
            lambda atoms, c: latents_of(atoms)[1:]
        ): r"of shape \(8, n_features\).* got shape \(7, 4\)",
        (lambda atoms, c: None): r"got shape \(\), object",
        (lambda atoms, c: np.full((8, 4), np.nan)): "finite latents",
        (lambda atoms, c: atoms.positions): "stay the same when a structure is rotated",
    }.items():
        with pytest.raises(ValueError, match=message):
            fit_frames(frames, stages, latents)
    fit_frames(frames, stages, lambda atoms, c: atoms.get_positions(), invariant=False)


def test_elements_that_nothing_is_known_of_are_refused(frames, stages, latents_of):
    fitted = fit_frames(frames, stages, latents_of, strata="elements")
    silver = Atoms("Ag2", [[0, 0, 0], [2.5, 0, 0]])
    silver.calc = UncertainCalculator(stages[-1], fitted, latents_of)
    with pytest.raises(ValueError, match="fitted on atoms of Cu, Au, got Ag"):
        silver.get_forces()


def test_coverage_of_held_out_systems(frames, stages, latents_of):
    """Bars that were calibrated on some hold what they promise on others."""
    fitted = fit_frames(frames[:15], stages, latents_of, held_out=frames[15:22])
    calculator = UncertainCalculator(stages[-1], fitted, latents_of, level=0.8)
    inside = []
    for atoms in frames[22:]:
        predicted = atoms.copy()
        predicted.calc = calculator
        error = np.linalg.norm(predicted.get_forces() - atoms.calc.results["forces"], axis=1)
        inside.append(np.mean(error <= predicted.arrays["forces_uncertainty_upper"]))
    assert np.mean(inside) == pytest.approx(0.8, abs=0.12)
