"""i-PI with a driver of ours: runs by its own command, in its process and by a socket."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ase")
pytest.importorskip("ipi", reason="i-PI is not installed: pip install 'ltau[ipi]'")

from ase import units
from ase.calculators.emt import EMT
from ase.io import read

from ltau.adapters.ipi import UncertainDriver

from .runs import assert_same_tables, limit_that_stops_late, rows, watched_by_ase

ROOT = Path(__file__).resolve().parents[3]

DRIVER = """
import importlib.util

from ase.calculators.emt import EMT

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator
from ltau.adapters.ipi import UncertainDriver

__DRIVER_NAME__ = "ltau"
__DRIVER_CLASS__ = "Driver"

spec = importlib.util.spec_from_file_location("structures", {structures!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


class Driver(UncertainDriver):
    def make_calculator(self):
        estimator = LTAUEstimator.load({estimator!r})
        return UncertainCalculator(EMT(), estimator, module.shells, tolerance=0.3)
"""

IN_PROCESS = """
<ffdirect name='ml'>
  <pes>custom</pes><pes_path>driver.py</pes_path><parameters>{{{parameters}}}</parameters>
</ffdirect>
"""

BY_SOCKET = """
<ffsocket name='ml' mode='unix'>
  <address>{address}</address>
  <exit_on_disconnect>True</exit_on_disconnect>
  <consolidate_messages>False</consolidate_messages>
</ffsocket>
"""

INPUT = """
<simulation verbosity='low' threading='False'>
  <output prefix='out'>
    <properties stride='1' filename='md'> [step, potential{{electronvolt}}] </properties>
    <trajectory filename='pos' stride='1' cell_units='angstrom'> positions{{angstrom}} </trajectory>
    <trajectory filename='unc' stride='1' extra_type='forces_uncertainty'> extras </trajectory>
    <trajectory filename='ood' stride='1' extra_type='ood_score'> extras </trajectory>
  </output>
  <total_steps>{n_steps}</total_steps>
  <prng><seed>1</seed></prng>
  {forcefield}
  <system>
    <initialize nbeads='{n_beads}'>
      <file mode='ase'>init.extxyz</file>
      {velocities}
    </initialize>
    <forces><force forcefield='ml'/></forces>
    <motion mode='dynamics'>
      <fixcom>False</fixcom>
      <dynamics mode='nve'><timestep units='femtosecond'>2</timestep></dynamics>
    </motion>
    <ensemble><temperature units='kelvin'>300</temperature></ensemble>
  </system>
</simulation>
"""


class Run:
    """A folder with all that a run of i-PI takes."""

    def __init__(self, folder, estimator, atoms):
        self.folder = folder
        self.atoms = atoms
        estimator.save(folder / "forces.ltau")
        structures = Path(__file__).with_name("structures.py")
        (folder / "driver.py").write_text(
            DRIVER.format(structures=str(structures), estimator=str(folder / "forces.ltau"))
        )
        atoms.write(folder / "init.extxyz")

    def __call__(self, n_steps, parameters="", *, n_beads=1, socket=False):
        """Run, and give what i-PI and the driver have said."""
        parameters = f"template:init.extxyz{parameters and ','}{parameters}"
        address = f"ltau-{os.getpid()}"
        forcefield = BY_SOCKET if socket else IN_PROCESS
        text = INPUT.format(
            forcefield=forcefield.format(parameters=parameters, address=address),
            velocities=self._velocities(thermal=n_beads > 1),
            n_steps=n_steps,
            n_beads=n_beads,
        )
        (self.folder / "input.xml").write_text(text)
        if not socket:
            return self.again()
        server = self._start("i-pi", "input.xml")
        self._wait_for(Path(f"/tmp/ipi_{address}"), server)  # noqa: S108
        options = parameters.replace(":", "=")
        client = self._start(
            "i-pi-driver-py", "-u", "-a", address, "-m", "custom", "-P", "driver.py", "-o", options
        )
        return self._end(client) + self._end(server)

    def again(self):
        """Run what the input says."""
        return self._end(self._start("i-pi", "input.xml"))

    def _velocities(self, *, thermal):
        if thermal:
            return "<velocities mode='thermal' units='kelvin'>900</velocities>"
        listed = (self.atoms.get_velocities() * units.AUT / units.Bohr).ravel().tolist()
        return f"<velocities mode='manual'>{listed}</velocities>"

    def _start(self, name, *arguments):
        return subprocess.Popen(
            [sys.executable, f"{sys.prefix}/bin/{name}", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def _wait_for(path, process):
        while not path.exists():
            if process.poll() is not None:
                raise AssertionError(process.communicate()[0])
            time.sleep(0.05)

    @staticmethod
    def _end(process):
        try:
            said, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == 0, said
        return said

    def extras(self, name):
        """What i-PI has written of an output, one row for each step."""
        lines = (self.folder / f"out.{name}").read_text().splitlines()
        numbers = " ".join(line for line in lines if "#" not in line)
        return np.array(numbers.replace("[", " ").replace("]", " ").split(), float).reshape(
            -1, len(self.atoms)
        )


@pytest.fixture
def run(tmp_path, estimator, hot):
    return Run(tmp_path, estimator, hot)


def test_each_bead_has_its_own_uncertainty(run, uncertain):
    run(3, "table:run.csv,beads:2", n_beads=2)
    for bead in range(2):
        frames = read(run.folder / f"out.pos_{bead}.xyz", ":")
        assert len(frames) == 4
        written = run.extras(f"unc_{bead}"), run.extras(f"ood_{bead}")
        for frame, uncertainty, ood_score in zip(frames, *written, strict=True):
            frame.set_cell(run.atoms.cell)
            frame.pbc = True
            frame.calc = uncertain()
            frame.get_forces()
            found = frame.arrays
            np.testing.assert_allclose(uncertainty, found["forces_uncertainty"], rtol=1e-3)
            np.testing.assert_allclose(ood_score, found["ood_score"], rtol=1e-3)
        table = rows(run.folder / f"run.{bead}.csv")
        assert [row["step"] for row in table] == [0, 1, 2, 3]
        largest = [row["forces_uncertainty_max"] for row in table]
        np.testing.assert_allclose(largest, written[0].max(axis=1), rtol=1e-4)


@pytest.mark.parametrize("socket", [False, True], ids=["in process", "by socket"])
def test_it_stops_where_the_monitor_of_ase_does(socket, run, hot, free_run, uncertain, tmp_path):
    calculator = uncertain(tolerance=0.3)
    expected = tmp_path / "ase.csv"
    limit = limit_that_stops_late(free_run, "ood_score_max", patience=2)
    monitor = watched_by_ase(hot, calculator, expected, 40, max_ood_score=limit, patience=2)
    said = run(40, f"table:run.csv,max_ood_score:{limit},patience:2", socket=socket)
    stopped = int(rows(expected)[-1]["step"])
    assert 3 < stopped < 40
    assert f"bead 0, {monitor.reason}" in said
    assert_same_tables(tmp_path / "run.csv", expected)
    saved = read(tmp_path / "run.uncertain.xyz")
    np.testing.assert_allclose(
        saved.arrays["ood_score"], read(monitor.saved).arrays["ood_score"], rtol=1e-5
    )
    restart = (tmp_path / "RESTART").read_text()
    assert f"<step>{stopped - 1}</step>" in restart


def test_a_stopped_run_goes_on_from_its_restart(run, hot, uncertain, tmp_path):
    table, whole = tmp_path / "run.csv", tmp_path / "ase.csv"
    run(8, "table:run.csv,max_error:1e-6,patience:4")
    before = table.read_text()
    assert [row["step"] for row in rows(table)] == [0, 1, 2, 3]
    restart = (tmp_path / "RESTART").read_text()
    assert "<step>2</step>" in restart
    others = "<parameters>{template:init.extxyz,table:run.csv,start:2}</parameters>"
    restart = re.sub("<parameters.*?</parameters>", others, restart, flags=re.DOTALL)
    (tmp_path / "input.xml").write_text(restart)
    run.again()
    watched_by_ase(hot, uncertain(tolerance=0.3), whole, 8)
    assert table.read_text().startswith(before[: before.rindex("3,")])
    assert_same_tables(table, whole)


def driver_of(calculator, template, **parameters):
    """A driver of this process."""

    class Driver(UncertainDriver):
        def make_calculator(self):
            return calculator

    return Driver(str(template), **parameters)


@pytest.fixture
def template(tmp_path, hot):
    hot.write(tmp_path / "init.extxyz")
    return tmp_path / "init.extxyz"


def ask(driver, atoms):
    """Ask for a structure as i-PI does: in bohr, the cell's vectors as columns."""
    return driver(atoms.cell[:].T / units.Bohr, atoms.positions / units.Bohr)


def test_steps_without_uncertainty_have_nan(hot, uncertain, template, tmp_path):
    driver = driver_of(uncertain(every=2), template, table=str(tmp_path / "run.csv"))
    frames = [hot.copy() for _ in range(2)]
    frames[1].rattle(0.01)
    first, second = (json.loads(ask(driver, frame)[3]) for frame in frames)
    assert first.keys() == second.keys()
    assert np.isfinite(first["ood_score"]).all()
    assert np.isnan(second["ood_score"]).all()
    assert np.isnan(second["forces_uncertainty_max"])


def test_a_second_driver_goes_on_in_the_table(hot, uncertain, template, tmp_path):
    table = tmp_path / "run.csv"
    driver = driver_of(uncertain(), template, table=str(table))
    for _ in range(4):
        ask(driver, hot)
    again = driver_of(uncertain(), template, table=str(table), start="2")  # i-PI's RESTART
    for _ in range(3):
        ask(again, hot)
    assert [row["step"] for row in rows(table)] == [0, 1, 2, 3, 4]


def test_without_stress_the_virial_is_nan(hot, uncertain, template):
    calculator = uncertain()
    calculator.implemented_properties.remove("stress")
    _, forces, virial, _ = ask(driver_of(calculator, template), hot)
    assert np.isfinite(forces).all()
    assert np.isnan(virial).all()


def test_another_number_of_atoms_is_refused(hot, uncertain, template):
    with pytest.raises(ValueError, match="the 32 atoms of the template, got 31"):
        ask(driver_of(uncertain(), template), hot[:-1])


def test_another_order_of_atoms_is_refused(hot, uncertain, template):
    with pytest.raises(ValueError, match="in the order of the template"):
        ask(driver_of(uncertain(), template), hot[::-1])


def test_a_template_that_does_not_say_whether_it_is_periodic_is_refused(hot, uncertain, tmp_path):
    hot.write(tmp_path / "init.xyz", format="xyz")
    with pytest.raises(ValueError, match="template with a cell, or the parameter pbc"):
        driver_of(uncertain(), tmp_path / "init.xyz")
    energies = []
    for pbc in ("True", "false"):
        driver = driver_of(uncertain(), tmp_path / "init.xyz", pbc=pbc)
        energies.append(ask(driver, hot)[0] * units.Hartree)
    for energy, periodic in zip(energies, (True, False), strict=True):
        hot.pbc, hot.calc = periodic, EMT()
        assert energy == pytest.approx(hot.get_potential_energy(), rel=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pbc": "yes"}, "pbc to be true or false, got 'yes'"),
        ({"beads": "0"}, "one bead or more, got '0'"),
        ({"max_error": "0.1"}, "a table beside limits"),
        ({"frames": "run.xyz"}, "a table beside limits"),
        ({"table": "run.csv", "max_error": "-1"}, "positive, finite limit"),
        ({"table": "run.csv", "max_probability": "0.5"}, "calculator with a tolerance"),
    ],
)
def test_parameters_that_say_nothing_are_refused(parameters, message, uncertain, template):
    with pytest.raises(ValueError, match=message):
        driver_of(uncertain(), template, **parameters)


def test_a_parameter_of_another_name_is_refused(uncertain, template):
    with pytest.raises(TypeError, match="max_ood"):
        driver_of(uncertain(), template, max_ood="3")


def test_a_calculator_without_uncertainty_is_refused(template):
    with pytest.raises(ValueError, match=r"calculator that gives .*ood_score.*, got EMT"):
        driver_of(EMT(), template)


def test_a_driver_without_a_calculator_is_refused(template):
    with pytest.raises(NotImplementedError, match="UncertainDriver to define make_calculator"):
        UncertainDriver(str(template))


def test_without_ipi_it_is_said_what_to_install():
    code = "import sys; sys.modules['ipi'] = None; import ltau.adapters.ipi"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "ModuleNotFoundError: i-PI is needed: pip install 'ltau[ipi]'" in done.stderr
