import numpy as np
import pytest
from ase import Atoms

from benchmarks.harness.nequip_passes import passes
from benchmarks.is2rs.measuring.judging import along_reference, with_truth
from benchmarks.is2rs.relaxing.force_field import ForceField, Models
from benchmarks.is2rs.relaxing.relaxation import OPTIMIZERS, Descent, relax, step_costs
from benchmarks.is2rs.sources import open_source
from benchmarks.is2rs.sources.emt import reference_forces
from ltau.adapters.nequip import latents, load_model
from ltau.structures import environment_cutoff

pytestmark = [
    pytest.mark.benchmark_run,
    # what the libraries under nequip say of each other
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def force_field(quick):
    folder = quick / "model"
    members = tuple(folder / f"model-{number}" / "last.ckpt" for number in range(2))
    return ForceField(Models(members[0], folder / "estimator.ltau", members[1:], 0.2))


@pytest.fixture(scope="module")
def system(quick):
    return open_source(quick / "data").load("val_id-0000")


@pytest.fixture(scope="module")
def path(system, force_field):
    few = OPTIMIZERS["LBFGS"]
    return relax(system, force_field, Descent(few.kind, few.options, few.fmax, 12))


def test_it_begins_at_the_initial_structure_and_moves_free_atoms_alone(system, path):
    assert 1 < len(path) <= 13
    np.testing.assert_allclose(path.positions[0], system.initial.positions)
    moved = np.abs(path.positions - path.positions[0]).max(axis=(0, 2))
    np.testing.assert_array_equal(moved > 0, path.free)
    steps = np.linalg.norm(np.diff(path.positions, axis=0), axis=2)
    assert steps.max() <= 0.04 + 1e-9


def test_what_is_recorded_is_what_the_force_field_says_of_each_structure(system, path, force_field):
    numbers = system.initial.numbers
    strata = None if force_field.estimator.strata_ is None else numbers
    for step in (0, len(path) - 1):
        atoms = Atoms(numbers, path.positions[step], cell=path.cell, pbc=True)
        atoms.calc = force_field.calculator
        np.testing.assert_allclose(path.forces[step], atoms.get_forces(), atol=1e-5)
        assert path.energy[step] == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        cutoff = environment_cutoff(force_field.estimator)
        rows = latents(force_field.model, [Atoms(atoms)], environment=cutoff)
        summary = force_field.estimator.predict_summary(rows, strata=strata)
        within = force_field.estimator.predict_cdf(rows, 0.2, strata=strata)
        found, _ = force_field.estimator.kneighbors(rows, strata=strata)
        np.testing.assert_allclose(path.expected_error[step], summary.expected_error, rtol=1e-4)
        np.testing.assert_allclose(path.ood_score[step], summary.ood_score, rtol=1e-4)
        np.testing.assert_allclose(path.exceedance[step], 1 - within, atol=1e-4)
        np.testing.assert_allclose(path.distance[step], found.mean(axis=1), rtol=1e-4)


def test_the_spread_of_two_models_is_half_of_their_difference(path, quick):
    other = load_model(quick / "model" / "model-1" / "last.ckpt")
    frames = [Atoms(path.numbers, at, cell=path.cell, pbc=True) for at in path.positions]
    difference = passes(other, frames).forces.reshape(path.forces.shape) - path.forces
    np.testing.assert_allclose(
        path.spread, np.linalg.norm(difference, axis=2) / 2, rtol=1e-3, atol=1e-5
    )


def test_the_truth_is_that_of_the_reference_method(path):
    judged, final_force = with_truth(path, reference_forces)
    atoms = Atoms(path.numbers, path.positions[-1], cell=path.cell, pbc=True)
    truth = reference_forces(atoms)
    np.testing.assert_allclose(
        judged.true_error[-1], np.linalg.norm(truth - path.forces[-1], axis=1)
    )
    assert final_force == pytest.approx(np.linalg.norm(truth[path.free], axis=1).max())


def test_the_reference_path_is_followed_from_end_to_end(system, force_field):
    followed = along_reference(system, force_field)
    assert len(followed) == min(50, len(system.frames))
    for row, frame in ((0, system.initial), (-1, system.relaxed)):
        np.testing.assert_allclose(followed.positions[row], frame.positions)
        error = followed.forces[row] - frame.get_forces(apply_constraint=False)
        np.testing.assert_allclose(
            followed.true_error[row], np.linalg.norm(error, axis=1), rtol=1e-5
        )


def test_the_same_structure_gets_the_same_numbers_on_either_path(system, path, force_field):
    followed = along_reference(system, force_field)
    for name in ("forces", "expected_error", "exceedance", "ood_score", "distance", "spread"):
        np.testing.assert_allclose(
            getattr(followed, name)[0], getattr(path, name)[0], rtol=1e-3, atol=1e-4
        )


def test_costs_are_measured_and_leave_the_uncertainty_on(path, force_field):
    step, forward = step_costs(path, force_field.calculator)
    assert step > 0
    assert forward > 0
    assert force_field.calculator.uncertainty.enabled


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimiser_that_has_converged_says_so(name, system, force_field):
    optimizer = OPTIMIZERS[name]
    lax = Descent(optimizer.kind, optimizer.options, 1e3, optimizer.n_steps)
    path = relax(system, force_field, lax)
    assert path.converged
    assert len(path) == 1
