"""A force field, from training to molecular dynamics that stop where the model is lost.

The data are made here: clusters of copper and gold, labelled by ASE's effective medium
potential. A small NequIP model learns them at 400 K. LTAU then says how wrong its forces
are at 400 K and at 1200 K, and watches dynamics that are heated from the one to the other.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import ase.io
import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cluster import Icosahedron
from ase.md.langevin import Langevin
from numpy.typing import NDArray
from tqdm.auto import tqdm

from ltau.adapters.ase import UncertaintyMonitor
from ltau.adapters.nequip import UncertainNequIPCalculator, fit_run
from ltau.metrics import auroc, bootstrap_estimate, coverage, spearman
from ltau.plotting import OKABE_ITO, PredictedErrorDisplay

__all__ = ["run"]

Floats = NDArray[np.float64]

_COLD, _HOT = 400, 1200  # K
_TIMESTEP = 5.0  # fs
_N_STEPS = 500  # of dynamics, at each temperature
_FRAMES_EACH = 10  # of a cluster
_CONFIG = Path(__file__).with_suffix(".yaml")

IN_DOMAIN, HOTTER = f"{_COLD} K", f"{_HOT} K"


class Predictions(NamedTuple):
    """What is predicted of the atoms of some clusters, and what is true; (n_frames, n_atoms)."""

    numbers: NDArray[np.int_]
    error: Floats  # of the force, in eV/Å: the length of its difference to the true one
    expected: Floats  # by LTAU, in eV/Å
    upper: Floats  # which it exceeds with a probability of 10 %, in eV/Å
    ood_score: Floats


def run(output: Path, *, n_epochs: int = 40, seed: int = 0) -> None:
    """Train a force field, fit LTAU to its errors, print a table and write pictures.

    Parameters
    ----------
    output : Path
        Folder for pictures and dynamics; it exists.
    n_epochs : int, default=40
        Epochs of training.
    seed : int, default=0
        Seed of everything random.
    """
    plt.switch_backend("Agg")  # files, no windows
    rng = np.random.default_rng(seed)
    frames, held_out = sample(_COLD, 40, rng), sample(_COLD, 20, rng)
    tests = {IN_DOMAIN: sample(_COLD, 20, rng), HOTTER: sample(_HOT, 20, rng)}
    with TemporaryDirectory() as name:
        folder = Path(name)
        train(frames, held_out, folder, n_epochs, seed)
        estimator = fit_run(folder, progress=True)
        calculator = UncertainNequIPCalculator.from_model(folder / "last.ckpt", estimator)
        known = predict(held_out, calculator, "held-out frames")
        predicted = {name: predict(tests[name], calculator, f"tests at {name}") for name in tests}
        print(f"\nLTAU on {len(frames)} frames at {IN_DOMAIN}, {n_epochs} epochs:")
        print(table(predicted, known))
        draw_errors(predicted, output / "force_errors.png")
        limit = known.ood_score.max()
        dynamics = output / "dynamics.csv"
        print("\n" + watch(frames[0], calculator, limit, dynamics, rng))
        draw_dynamics(dynamics, limit, output / "dynamics.png")
    print(f"\nPictures and dynamics are in {output.resolve()}")


def sample(temperature: float, n_clusters: int, rng: np.random.Generator) -> list[Atoms]:
    """Take frames, with their true forces, from dynamics of clusters of random composition."""
    frames = []
    for _ in tqdm(range(n_clusters), desc=f"clusters at {temperature} K"):
        atoms = Icosahedron("Cu", 2, latticeconstant=3.8)
        atoms.symbols = rng.choice(["Cu", "Au"], len(atoms))
        atoms.calc = EMT()
        dynamics = langevin(atoms, temperature, rng)
        dynamics.run(100)  # it takes some time to reach the temperature
        for _ in range(_FRAMES_EACH):
            dynamics.run(20)
            frames.append(labelled(atoms))
    return frames


def langevin(atoms: Atoms, temperature: float, rng: np.random.Generator) -> Langevin:
    """Set up dynamics at a temperature, with the velocities that belong to it."""
    spread = np.sqrt(units.kB * temperature * atoms.get_masses())
    atoms.set_momenta(spread[:, None] * rng.normal(size=(len(atoms), 3)))
    return Langevin(
        atoms,
        timestep=_TIMESTEP * units.fs,
        temperature_K=temperature,
        friction=0.01 / units.fs,
        fixcm=False,
        rng=rng,
    )


def labelled(atoms: Atoms) -> Atoms:
    """Copy atoms with their energy and forces."""
    frame = Atoms(atoms.numbers, atoms.positions)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
    return frame


def train(
    frames: list[Atoms], held_out: list[Atoms], folder: Path, n_epochs: int, seed: int
) -> None:
    """Train with nequip-train, which leaves checkpoint and recorded errors in the folder."""
    ase.io.write(folder / "train.extxyz", frames)
    ase.io.write(folder / "held-out.extxyz", held_out)
    command = [sys.executable, "-m", "nequip.scripts.train"]
    command += ["-cp", str(_CONFIG.parent), "-cn", _CONFIG.name, "hydra.run.dir=."]
    command += [f"trainer.max_epochs={n_epochs}", f"training_module.model.seed={seed}"]
    subprocess.run(command, cwd=folder, check=True)  # noqa: S603 (the command is made here)


def predict(frames: list[Atoms], calculator: BaseCalculator, name: str) -> Predictions:
    """Let the calculator predict forces and their errors, and compare with the true forces."""
    names = "forces_uncertainty", "forces_uncertainty_upper", "ood_score"
    rows = []
    for frame in tqdm(frames, desc=name, unit="frame"):
        atoms = frame.copy()
        atoms.calc = calculator
        error = np.linalg.norm(atoms.get_forces() - frame.get_forces(), axis=1)
        rows.append([atoms.numbers, error, *(calculator.results[name] for name in names)])
    return Predictions(*map(np.array, zip(*rows, strict=True)))


def table(tests: dict[str, Predictions], held_out: Predictions) -> str:
    """Compare with what is known without LTAU: the errors of each element on held-out frames."""
    columns = ["Spearman", "true/expected", "coverage 90 %", "AUROC of shift"]
    header = f"{'':18}" + "".join(f"{column:>16}" for column in columns)
    lines = [header, "-" * len(header)]
    methods = {name: scored(test, held_out) for name, test in tests.items()}
    hotter = np.concatenate([np.full(len(t.error), name == HOTTER) for name, t in tests.items()])
    for name, test in tests.items():
        error = test.error
        lines.append(f"{len(error)} frames at {name}, mean error {error.mean():.3f} eV/Å")
        for label, (score, upper) in methods[name].items():
            cells = [interval(spearman, error, score), "-", "-"]
            if upper is not None:
                cells[1:] = interval(ratio, error, score), interval(covered, error, upper)
            if name == HOTTER:
                scores = [scored[label][0].max(axis=1) for scored in methods.values()]
                cells.append(interval(auroc, hotter, np.concatenate(scores)))
            lines.append(f"  {label:16}" + "".join(f"{cell:>16}" for cell in cells))
    lines.append("± half of the 95 % interval, by bootstrap over clusters")
    return "\n".join(lines)


def scored(test: Predictions, held_out: Predictions) -> dict[str, tuple[Floats, Floats | None]]:
    """Give each method's score of every atom, and its 90 % error bar where it has one."""
    mean, upper = np.empty_like(test.error), np.empty_like(test.error)
    for number in np.unique(test.numbers):
        errors = held_out.error[held_out.numbers == number]
        mean[test.numbers == number] = errors.mean()
        upper[test.numbers == number] = np.quantile(errors, 0.9)
    return {
        "LTAU": (test.expected, test.upper),
        "LTAU, ood_score": (test.ood_score, None),
        "element alone": (mean, upper),
    }


def ratio(error: Floats, expected: Floats) -> float:
    """Divide the mean true error by the mean expected one."""
    return float(error.mean() / expected.mean())


def covered(error: Floats, upper: Floats) -> float:
    """Share of the errors within their bounds."""
    return coverage(error, upper=upper)


def interval(metric: Callable[..., float], *rows: NDArray[np.generic]) -> str:
    """Compute a metric of atoms or frames, with its interval over clusters."""
    clusters = np.arange(len(rows[0])) // _FRAMES_EACH
    flat = [row.ravel() for row in rows]
    groups = np.repeat(clusters, flat[0].size // len(clusters))
    estimate = bootstrap_estimate(metric, *flat, groups=groups, n_resamples=200)
    return f"{estimate:.2f} ± {(estimate.high - estimate.low) / 2:.2f}"


def watch(
    start: Atoms, calculator: BaseCalculator, limit: float, run: Path, rng: np.random.Generator
) -> str:
    """Simulate at the temperature of the training, then hotter, until LTAU stops the dynamics."""
    for old in run.parent.glob(f"{run.stem}.*"):  # or they would be gone on with
        old.unlink()
    atoms = start.copy()
    atoms.calc = calculator
    lines = []
    for temperature in (_COLD, _HOT):
        dynamics = langevin(atoms, temperature, rng)
        monitor = UncertaintyMonitor(
            dynamics, run, max_ood_score=limit, patience=10, frames=run.with_suffix(".xyz")
        )
        dynamics.attach(monitor)
        with tqdm(total=_N_STEPS, desc=f"dynamics at {temperature} K", unit="step") as bar:
            dynamics.attach(bar.update)
            dynamics.run(_N_STEPS)
        outcome = monitor.reason or f"{_N_STEPS} steps, not stopped"
        lines.append(f"Dynamics at {temperature} K: {outcome}")
        if monitor.reason:
            break
    return "\n".join(lines)


def draw_errors(tests: dict[str, Predictions], path: Path) -> None:
    """Draw true against expected errors."""
    figure, axes = plt.subplots(
        1, 2, figsize=(7.2, 3.6), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (name, test) in zip(axes, tests.items(), strict=True):
        PredictedErrorDisplay.from_predictions(
            test.error.ravel(), test.expected.ravel(), name="LTAU", unit="eV/Å", ax=ax
        )
        ax.set_title(f"Clusters at {name}")
    figure.savefig(path, dpi=160)
    plt.close(figure)


def draw_dynamics(run: Path, limit: float, path: Path) -> None:
    """Draw temperature, distance, and expected and true errors of the dynamics over time."""
    rows = np.genfromtxt(run, delimiter=",", names=True)
    time = rows["time"] / 1000  # ps
    blue, red, _, _, orange, _ = OKABE_ITO
    figure, axes = plt.subplots(3, 1, figsize=(7.2, 5.4), sharex=True, layout="constrained")
    axes[0].plot(time, rows["temperature"], lw=0.8, color=blue)
    axes[0].set_ylabel("Temperature (K)")
    axes[1].plot(time, rows["ood_score_max"], lw=0.8, color=blue)
    axes[1].axhline(limit, color=red, label="largest of held-out clusters: stop")
    axes[1].set_ylabel("ood_score")
    axes[2].plot(time, true_errors(run), lw=0.8, color=orange, label="true")
    axes[2].plot(time, rows["forces_uncertainty_max"], lw=0.8, color=blue, label="expected")
    axes[2].set_ylabel("Largest force error\n(eV/Å)")
    axes[2].set_xlabel("Time (ps)")
    for ax in axes:
        ax.set_ylim(0, 1.35 * ax.get_ylim()[1])  # room for the legend
    for ax in axes[1:]:
        ax.legend(loc="upper left", frameon=False, ncols=2, fontsize=9)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def true_errors(run: Path) -> Floats:
    """Label the frames of the dynamics too, and find the largest error of each."""
    errors = []
    for frame in ase.io.iread(run.with_suffix(".xyz")):
        truth = Atoms(frame.numbers, frame.positions, calculator=EMT())
        errors.append(np.linalg.norm(frame.get_forces() - truth.get_forces(), axis=1).max())
    return np.array(errors)
