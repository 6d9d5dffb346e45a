"""Models and loops of torch-sim, by a stand-in of its documented interface."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("ase")

import torch
from ase import units
from ase.calculators.emt import EMT
from ase.io import read

from ltau import ErrorLog, LTAUEstimator
from ltau.adapters.torch_sim import UncertainModel, UncertaintyMonitor

from .runs import assert_same_tables, limit_that_stops_late, rows, watched_by_ase
from .stand_in import Model, initialize_state, nve_init, nve_step


def features(state, model):
    """What a hook on the model would have kept."""
    return model.features


@pytest.fixture
def plain_model(latents_of):
    return Model(EMT(), latents_of)


@pytest.fixture
def uncertain_model(estimator, plain_model):
    return lambda **options: UncertainModel(plain_model, estimator, features, **options)


@pytest.fixture
def frames(make_structure, warm, hot):
    """Three systems, of which the second leaves the training domain first."""
    cold = [warm(make_structure["crystal"](seed), 50) for seed in (101, 102)]
    return [cold[0], hot, cold[1]]


@pytest.fixture
def table(tmp_path):
    return tmp_path / "run.csv"


def run(systems, model, path, n_steps, **options):
    """The loop of the page: to the first step whose structure is too uncertain."""
    state = nve_init(initialize_state(systems), model)
    monitor = UncertaintyMonitor(state, path, **options)
    reason = monitor(state)
    for _ in range(n_steps):
        if reason is not None:
            break
        state = nve_step(state, model, dt=2 * units.fs)
        reason = monitor(state)
    return reason, state, monitor


def test_the_output_is_the_models_with_further_keys(frames, plain_model, uncertain_model):
    state = initialize_state(frames)
    output, plain = uncertain_model()(state), plain_model(state)
    for name, value in plain.items():
        assert torch.equal(output[name], value)
    assert sorted(set(output) - set(plain)) == [
        "forces_uncertainty",
        "forces_uncertainty_max",
        "forces_uncertainty_mean",
        "forces_uncertainty_upper",
        "ood_score",
    ]
    assert output["ood_score"].shape == (state.n_atoms,)
    assert output["forces_uncertainty_max"].shape == (3,)


def test_numbers_of_systems_are_over_their_own_atoms(frames, uncertain_model):
    frames[1] = frames[1][:5]
    state = initialize_state(frames)
    output = uncertain_model()(state)
    for number in range(3):
        own = output["forces_uncertainty"][state.system_idx == number]
        assert output["forces_uncertainty_max"][number] == own.max()
        torch.testing.assert_close(output["forces_uncertainty_mean"][number], own.mean())


def test_further_keys_land_in_the_state(frames, uncertain_model):
    model = uncertain_model(tolerance=0.3)
    state = nve_step(nve_init(initialize_state(frames), model), model, dt=units.fs)
    output = model(state)
    for name in ("ood_score", "forces_error_probability", "forces_uncertainty_max"):
        assert torch.equal(getattr(state, name), output[name])


def test_a_unit_factor_scales_errors(frames, uncertain_model):
    state = initialize_state(frames)
    plain, scaled = (uncertain_model(unit_factor=f, tolerance=0.3 * f)(state) for f in (1.0, 10.0))
    for name in ("forces_uncertainty", "forces_uncertainty_upper", "forces_uncertainty_max"):
        torch.testing.assert_close(scaled[name], 10 * plain[name])
    for name in ("ood_score", "forces_error_probability"):
        torch.testing.assert_close(scaled[name], plain[name])


def test_it_has_what_torch_sim_asks_of_models(plain_model, uncertain_model):
    model, inner = uncertain_model(), plain_model
    for name in ("device", "dtype", "compute_forces", "compute_stress", "memory_scales_with"):
        assert getattr(model, name) == getattr(inner, name)
    model.compute_stress = False
    assert not model.model.compute_stress


def test_it_stops_where_the_monitor_of_ase_does(
    frames, free_run, uncertain, uncertain_model, table, tmp_path
):
    expected = tmp_path / "ase.csv"
    limit = limit_that_stops_late(free_run, "ood_score_max", patience=3)
    limits = {"max_ood_score": limit, "patience": 3}
    monitor = watched_by_ase(frames[1], uncertain(), expected, 40, **limits)
    reason, _, own = run(frames, uncertain_model(), table, 40, **limits)
    assert own.reasons.keys() == {1}
    assert reason == f"system 1, {monitor.reason}"
    assert_same_tables(tmp_path / "run.1.csv", expected)
    saved, other = read(tmp_path / "run.1.uncertain.xyz"), read(monitor.saved)
    for name in ("positions", "momenta", "ood_score", "forces_uncertainty_upper"):
        np.testing.assert_allclose(saved.arrays[name], other.arrays[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(saved.cell, other.cell, atol=1e-8)
    np.testing.assert_allclose(saved.get_forces(), other.get_forces(), atol=1e-6)
    n_steps = [len(rows(tmp_path / f"run.{number}.csv")) for number in range(3)]
    assert n_steps == [len(rows(expected))] * 3


def test_a_single_system_has_a_table_and_frames_without_number(
    frames, uncertain_model, table, tmp_path
):
    run(frames[:1], uncertain_model(), table, 3, frames=tmp_path / "run.xyz")
    assert [row["step"] for row in rows(table)] == [0, 1, 2, 3]
    assert [frame.info["step"] for frame in read(tmp_path / "run.xyz", ":")] == [0, 1, 2, 3]


def test_a_limit_of_probability_and_an_action(frames, uncertain_model, table):
    seen = []
    reason, _, monitor = run(
        frames,
        uncertain_model(tolerance=0.3),
        table,
        2,
        max_probability=1e-6,
        action=lambda atoms, why: seen.append((len(atoms), why)),
    )
    assert reason is None
    assert len(seen) == 9
    assert all("forces_error_probability_max" in why for why in monitor.reasons.values())


def test_a_state_without_uncertainty_is_refused(frames, plain_model, table):
    state = nve_init(initialize_state(frames), plain_model)
    with pytest.raises(ValueError, match="with forces_uncertainty and ood_score, as torch-sim's"):
        UncertaintyMonitor(state, table)


def test_another_number_of_systems_is_refused(frames, uncertain_model, table):
    model = uncertain_model()
    monitor = UncertaintyMonitor(nve_init(initialize_state(frames), model), table)
    with pytest.raises(ValueError, match="the 3 systems that it began with, got 2"):
        monitor(nve_init(initialize_state(frames[:2]), model))


def test_a_model_without_forces_is_refused(plain_model, uncertain_model):
    plain_model.compute_forces = False
    with pytest.raises(ValueError, match="model that computes forces"):
        uncertain_model()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"latents": None}, TypeError, "latents to be a callable"),
        ({"level": 2}, ValueError, "a level from 0 to 1"),
        ({"tolerance": -1}, ValueError, "a positive, finite tolerance"),
    ],
)
def test_options_of_another_kind_are_refused(options, error, message, estimator, plain_model):
    with pytest.raises(error, match=message):
        UncertainModel(plain_model, estimator, **{"latents": features, **options})


def test_an_estimator_of_energies_is_refused(plain_model, tmp_path):
    with ErrorLog(tmp_path, n_samples=30, target="energy") as log:
        log.record(np.arange(30), np.ones(30))
        log.end_epoch()
        estimator = LTAUEstimator().fit(np.random.default_rng(0).normal(size=(30, 4)), log)
    with pytest.raises(ValueError, match="errors of forces, got one of energy"):
        UncertainModel(plain_model, estimator, features)


def test_elements_that_were_not_trained_on_are_refused(frames, uncertain_model):
    frames[0].symbols[0] = "Ag"
    with pytest.raises(ValueError, match="47"):
        uncertain_model()(initialize_state(frames))
