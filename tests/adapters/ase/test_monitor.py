"""Runs that are watched: their table, how they stop, and how they go on."""

import csv
import gc
import logging

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import units
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.mep import NEB
from ase.optimize import BFGS, FIRE
from ase.optimize.sciopt import SciPyFminCG

from ltau.adapters.ase import UncertainCalculator, UncertaintyMonitor

MD_COLUMNS = [
    "step",
    "time",
    "energy",
    "temperature",
    "forces_uncertainty_max",
    "forces_uncertainty_mean",
    "ood_score_max",
]


@pytest.fixture
def watched(estimator, latents_of, atoms):
    """Atoms with a calculator that tells its uncertainty."""

    def with_options(**options):
        atoms.calc = UncertainCalculator(EMT(), estimator, latents_of, **options)
        return atoms

    return with_options


@pytest.fixture
def table(tmp_path):
    return tmp_path / "run.csv"


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def steps(path):
    return [int(row["step"]) for row in rows(path)]


def verlet(atoms, temperature=300):
    scale = np.sqrt(units.kB * temperature * atoms.get_masses())[:, None]
    atoms.set_momenta(scale * np.random.default_rng(0).normal(size=(len(atoms), 3)))
    return VelocityVerlet(atoms, 2 * units.fs)


def run(dyn, n_steps, path, interval=1, **options):
    """Watch a run, and give the monitor."""
    monitor = UncertaintyMonitor(dyn, path, **options)
    dyn.attach(monitor, interval)
    dyn.run(steps=n_steps)
    return monitor


def test_every_step_of_dynamics_is_a_row(watched, table):
    atoms = watched(tolerance=0.2)
    dyn = verlet(atoms)
    seen = []

    def observe():
        results = atoms.calc.results
        seen.append(
            {
                "step": dyn.nsteps,
                "time": dyn.get_time() / units.fs,
                "energy": atoms.get_potential_energy(),
                "temperature": atoms.get_temperature(),
                "forces_uncertainty_max": results["forces_uncertainty"].max(),
                "forces_uncertainty_mean": results["forces_uncertainty"].mean(),
                "ood_score_max": results["ood_score"].max(),
                "forces_error_probability_max": results["forces_error_probability"].max(),
            }
        )

    dyn.attach(observe)
    run(dyn, 5, table)
    assert len(seen) == 6
    for row, expected in zip(rows(table), seen, strict=True):
        assert list(row) == list(expected)
        for name, value in expected.items():
            assert float(row[name]) == pytest.approx(value, rel=1e-11), name


def test_rows_are_in_the_file_before_the_next_step(watched, table):
    dyn = verlet(watched())
    monitor = UncertaintyMonitor(dyn, table)
    dyn.attach(monitor)
    dyn.attach(lambda: logged.append(steps(table)))
    logged = []
    dyn.run(2)
    assert logged == [[0], [0, 1], [0, 1, 2]]


def test_an_optimiser_has_neither_time_nor_temperature(watched, table):
    optimiser = BFGS(watched(), logfile=None)
    run(optimiser, 4, table)
    assert [name for name in MD_COLUMNS if name not in ("time", "temperature")] == list(
        rows(table)[0]
    )
    assert steps(table) == [0, 1, 2, 3, 4]


def test_an_interval_leaves_steps_out(watched, table):
    run(verlet(watched()), 7, table, interval=3)
    assert steps(table) == [0, 3, 6]


def test_steps_without_uncertainty_have_empty_cells(watched, table):
    run(verlet(watched(every=2)), 3, table)
    assert [row["ood_score_max"] != "" for row in rows(table)] == [True, False, True, False]
    assert all(row["energy"] for row in rows(table))


def test_atoms_in_a_filter_are_found(estimator, latents_of, atoms, table):
    atoms.pbc = True
    atoms.calc = UncertainCalculator(EMT(), estimator, latents_of)
    optimiser = FIRE(FrechetCellFilter(atoms), logfile=None)
    run(optimiser, 2, table)
    assert float(rows(table)[-1]["energy"]) == pytest.approx(atoms.get_potential_energy())


@pytest.mark.parametrize("make", [verlet, lambda atoms: FIRE(atoms, logfile=None)])
def test_a_threshold_stops_the_run_cleanly(make, watched, table):
    dyn = make(watched())
    limit = 1e-6  # passed from the first step on
    monitor = run(dyn, 2000, table, max_error=limit, patience=3)
    assert dyn.nsteps == 2
    assert steps(table) == [0, 1, 2]
    value = float(rows(table)[-1]["forces_uncertainty_max"])
    assert monitor.reason == (
        f"step 2: forces_uncertainty_max = {value:.4g} > 1e-06 for 3 steps in a row"
    )


@pytest.mark.parametrize(
    ("limit", "column"),
    [
        ("max_error", "forces_uncertainty_max"),
        ("max_probability", "forces_error_probability_max"),
        ("max_ood_score", "ood_score_max"),
    ],
)
def test_it_stops_at_the_first_step_above_the_limit(limit, column, watched, make_cluster, tmp_path):
    free, stopped = tmp_path / "free.csv", tmp_path / "stopped.csv"
    atoms = watched(tolerance=0.2)
    start = atoms.positions = make_cluster(seed=0, spread=0.0).positions
    run(verlet(atoms, 3000), 40, free)
    values = [float(row[column]) for row in rows(free)]
    worst = int(np.argmax(values))
    assert worst > 0
    limit_value = (max(values[:worst]) + values[worst]) / 2
    atoms.positions = start
    monitor = run(verlet(atoms, 3000), 2000, stopped, **{limit: limit_value})
    assert steps(stopped) == list(range(worst + 1))
    assert f"step {worst}: {column} = " in monitor.reason


def test_a_stop_in_the_first_step_makes_none(watched, table):
    dyn = verlet(watched())
    run(dyn, 100, table, max_error=1e-6)
    assert dyn.nsteps == 0


def test_a_stopped_run_can_be_run_on(watched, table):
    dyn = verlet(watched())
    run(dyn, 100, table, max_error=1e-6, patience=3)
    dyn.run(100)
    assert dyn.nsteps == 5
    assert steps(table) == [0, 1, 2, 3, 4, 5]


def test_an_optimiser_of_scipy_is_stopped(watched, table):
    atoms = watched()
    optimiser = SciPyFminCG(atoms, logfile=None)
    monitor = run(optimiser, 100, table, max_error=1e-6, patience=2)
    assert steps(table) == [0, 1]
    np.testing.assert_allclose(atoms.positions, read(monitor.saved).positions, atol=1e-8)


def test_a_run_that_does_not_heed_the_stop_ends_in_an_error(watched, table):
    class Heedless(VelocityVerlet):
        def irun(self, steps):
            for _ in range(steps):
                self.step()
                self.nsteps += 1
                self.call_observers()
                yield False

    dyn = Heedless(watched(), 1.0)
    with pytest.raises(RuntimeError, match="Heedless went on after: step 1: forces_unc"):
        run(dyn, 100, table, max_error=1e-6)
    assert dyn.nsteps == 2


def test_the_stop_is_told_and_its_structure_saved(watched, table, caplog):
    atoms = watched(tolerance=0.2, keep_latents=True)
    with caplog.at_level(logging.WARNING):
        monitor = run(verlet(atoms), 100, table, max_error=1e-6, patience=2)
    assert monitor.reason in caplog.text
    assert monitor.saved == table.with_name("run.uncertain.xyz")
    [frame] = read(monitor.saved, ":")
    assert frame.info["step"] == 1
    assert frame.info["reason"] == monitor.reason
    for name in ("positions", "momenta", "ood_score", "forces_error_probability", "latents"):
        np.testing.assert_allclose(frame.arrays[name], atoms.arrays[name], atol=1e-8)
    np.testing.assert_allclose(frame.get_forces(), atoms.get_forces(), atol=1e-8)
    assert frame.get_potential_energy() == pytest.approx(atoms.get_potential_energy())


def test_structures_whose_info_holds_old_results_are_saved(watched, table):
    atoms = watched()
    atoms.info["energy"] = -1.0  # as some data sets have it
    monitor = run(verlet(atoms), 0, table, max_error=1e-6)
    assert read(monitor.saved).get_potential_energy() == pytest.approx(atoms.get_potential_energy())
    assert atoms.info["energy"] == -1.0


def test_an_action_is_called_instead(watched, table):
    atoms = watched()
    calls = []
    monitor = run(
        verlet(atoms),
        6,
        table,
        max_error=1e-6,
        patience=3,
        action=lambda *arguments: calls.append(arguments),
    )
    assert [given is atoms for given, _ in calls] == [True, True]
    assert [reason.split(":")[0] for _, reason in calls] == ["step 2", "step 5"]
    assert steps(table) == list(range(7))
    assert [frame.info["step"] for frame in read(monitor.saved, ":")] == [2, 5]


def test_frames_of_every_step_may_be_kept(watched, table, tmp_path):
    atoms = watched()
    run(verlet(atoms), 3, table, frames=tmp_path / "run.xyz")
    frames = read(tmp_path / "run.xyz", ":")
    assert [frame.info["step"] for frame in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose(
        frames[-1].arrays["forces_uncertainty"], atoms.arrays["forces_uncertainty"], atol=1e-8
    )


def test_a_resumed_run_goes_on_in_the_same_table(watched, table, tmp_path):
    whole = tmp_path / "whole.csv"
    atoms = watched()
    start = atoms.copy()
    run(verlet(atoms), 10, whole, frames=tmp_path / "whole.xyz")
    atoms.positions = start.positions
    run(verlet(atoms), 6, table, frames=tmp_path / "run.xyz")
    # Another process would begin like this.
    run(VelocityVerlet(atoms, 2 * units.fs), 4, table, frames=tmp_path / "run.xyz")
    assert steps(table) == list(range(11))
    for row, expected in zip(rows(table), rows(whole), strict=True):
        for name in MD_COLUMNS:
            assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-6), name
    frames = read(tmp_path / "run.xyz", ":")
    assert [frame.info["step"] for frame in frames] == list(range(11))


def test_dynamics_that_have_made_steps_go_on_at_their_own_number(watched, table):
    atoms = watched()
    dyn = verlet(atoms)
    run(dyn, 6, table)
    again = VelocityVerlet(atoms, 2 * units.fs)
    again.nsteps = 4  # a checkpoint that is older than the table
    run(again, 3, table)
    assert steps(table) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [float(row["time"]) for row in rows(table)] == pytest.approx(np.arange(0, 16, 2))


def test_a_run_may_go_on_from_an_earlier_step(watched, table, tmp_path):
    atoms = watched()
    frames = tmp_path / "run.xyz"
    run(verlet(atoms), 9, table, interval=3, frames=frames)
    dyn = VelocityVerlet(atoms, 1 * units.fs)
    run(dyn, 4, table, interval=2, frames=frames, start=4)
    assert steps(table) == [0, 3, 4, 6, 8]
    assert [frame.info["step"] for frame in read(frames, ":")] == [0, 3, 4, 6, 8]
    assert [float(row["time"]) for row in rows(table)] == pytest.approx([0, 6, 7, 9, 11])


@pytest.mark.parametrize("n_bytes", [1, 20, 60])
def test_what_a_killed_run_left_torn_is_dropped(n_bytes, watched, table, tmp_path):
    atoms, frames = watched(), tmp_path / "run.xyz"
    run(verlet(atoms), 3, table, frames=frames)
    for path in (table, frames):
        path.write_bytes(path.read_bytes()[:-n_bytes])
    run(VelocityVerlet(atoms, 1.0), 2, table, frames=frames)
    assert steps(table) == [0, 1, 2, 3, 4]
    assert [frame.info["step"] for frame in read(frames, ":")] == [0, 1, 2, 3, 4]
    assert all(row["ood_score_max"] for row in rows(table))


def test_a_table_whose_header_is_torn_is_started_again(watched, table):
    table.write_text("step,time,ene")
    run(verlet(watched()), 1, table)
    assert steps(table) == [0, 1]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "step,time\n", "x" * 1000])
def test_a_table_of_another_layout_is_refused_and_left_alone(content, watched, table):
    table.write_text(content)
    with pytest.raises(ValueError, match=r"table with the columns step,time,energy"):
        UncertaintyMonitor(verlet(watched()), table)
    assert table.read_text() == content


def test_compressed_frames_which_cannot_be_gone_on_with_are_refused(watched, table, tmp_path):
    with pytest.raises(ValueError, match=r"compressed one, .*run\.xyz\.gz"):
        UncertaintyMonitor(verlet(watched()), table, frames=tmp_path / "run.xyz.gz")
    assert not table.exists()


def test_a_table_of_dynamics_is_not_gone_on_with_by_an_optimiser(watched, table):
    atoms = watched()
    run(verlet(atoms), 1, table)
    with pytest.raises(ValueError, match="table with the columns step,energy"):
        UncertaintyMonitor(BFGS(atoms, logfile=None), table)


def test_a_damaged_row_is_refused_and_left_alone(watched, table):
    atoms = watched()
    run(verlet(atoms), 3, table)
    lines = table.read_text().splitlines(keepends=True)
    lines[2] = "1,nonsense\n"
    table.write_text("".join(lines))
    with pytest.raises(ValueError, match=r"numbers in line 3 of .*nonsense"):
        UncertaintyMonitor(verlet(atoms), table)
    assert table.read_text() == "".join(lines)


def test_frames_of_another_run_are_refused_and_left_alone(watched, table, tmp_path):
    atoms = watched()
    frames = tmp_path / "run.xyz"
    run(verlet(atoms), 1, tmp_path / "other.csv", frames=frames)
    before = frames.read_bytes()
    with pytest.raises(ValueError, match="holds frames of another run"):
        UncertaintyMonitor(verlet(atoms), table, frames=frames)
    assert frames.read_bytes() == before


def test_structures_that_no_monitor_wrote_are_refused_and_left_alone(watched, table, tmp_path):
    atoms = watched()
    run(verlet(atoms), 1, table)
    frames = tmp_path / "data.xyz"
    atoms.write(frames)
    before = frames.read_bytes()
    with pytest.raises(ValueError, match=r"data\.xyz to hold frames of a run: got one without"):
        UncertaintyMonitor(verlet(atoms), table, frames=frames)
    assert frames.read_bytes() == before


def test_a_calculator_without_uncertainty_is_refused(atoms, table):
    atoms.calc = EMT()
    with pytest.raises(ValueError, match=r"calculator that gives .*ood_score.*, got EMT"):
        UncertaintyMonitor(verlet(atoms), table)
    assert not table.exists()


def test_a_limit_of_probability_needs_a_tolerance(watched, table):
    with pytest.raises(ValueError, match="needs a calculator with a tolerance"):
        UncertaintyMonitor(verlet(watched()), table, max_probability=0.5)


def test_a_run_of_images_is_refused(watched, table):
    atoms = watched()
    band = NEB([atoms.copy() for _ in range(3)], method="improvedtangent")
    with pytest.raises(TypeError, match=r"optimiser of ase\.Atoms, got FIRE of NEB"):
        UncertaintyMonitor(FIRE(band, logfile=None), table)


@pytest.mark.parametrize("option", [{"start": -1}, {"start": 1.5}, {"action": "stop"}])
def test_options_of_another_kind_are_refused(option, watched, table):
    with pytest.raises((TypeError, ValueError), match=f"Expected {next(iter(option))} to be"):
        UncertaintyMonitor(verlet(watched()), table, **option)


def test_a_folder_that_is_not_there_is_told_of_at_once(watched, tmp_path):
    with pytest.raises(FileNotFoundError):
        UncertaintyMonitor(verlet(watched()), tmp_path / "none" / "run.csv")


def test_a_long_run_logs_every_step_and_keeps_no_memory(watched, table, growth_of):
    atoms = watched(tolerance=0.2)
    rng = np.random.default_rng(0)
    dyn = Langevin(atoms, 2 * units.fs, temperature_K=300, friction=0.02, fixcm=False, rng=rng)
    run(dyn, 100, table)
    gc.collect()
    n_objects = len(gc.get_objects())
    dyn.run(1600)
    gc.collect()
    # Other threads of the process make some too; a step that keeps one makes 1600.
    assert len(gc.get_objects()) - n_objects < 800
    # bytes: less than a copy of the forces a step
    assert growth_of(lambda: dyn.run(75)) < 75 * 400
    assert steps(table) == list(range(2001))


def test_a_step_whose_row_could_not_be_written_may_be_tried_again(watched, table):
    dyn = verlet(watched())
    monitor = run(dyn, 2, table)
    dyn.observers.clear()
    dyn.run(1)
    whole = table.read_bytes()
    table.rename(table.with_name("away"))
    table.mkdir()  # where a file should be
    with pytest.raises(IsADirectoryError):
        monitor()
    table.rmdir()
    table.with_name("away").rename(table)
    assert table.read_bytes() == whole
    monitor()
    assert steps(table) == [0, 1, 2, 3]
