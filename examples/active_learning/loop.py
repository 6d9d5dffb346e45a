"""Three rounds of active learning, against labels at random.

A small model learns forces in clusters of copper and gold at 400 K; ASE's effective-medium theory
gives the labels. In each round dynamics at 1200 K run with the model until it is lost, ten of
their structures are labelled, and the model is trained anew. The ten are chosen by
``ltau.selection.select``, or at random from the structures of the same kind of dynamics.

In a checkout of the repository, with the extras ``ase``, ``torch`` and ``plot``:

    python examples/active_learning/loop.py

takes five minutes of one core, prints the errors after each round, and draws ``learning.png``.
``--quick`` is a short run to see it work.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import ase.io
import numpy as np
import torch
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cluster import Icosahedron
from ase.md.langevin import Langevin
from numpy.typing import NDArray
from potential import NetworkCalculator, Trained, forces_of, latents, latents_of, train

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator, UncertaintyMonitor
from ltau.selection import select
from ltau.structures import StructureSamples, fit_structures

Floats = NDArray[np.float64]
Choose = Callable[[list[Atoms], int, int], list[int]]

COLD, HOT = 400, 1200  # K
TIMESTEP = 5 * units.fs
FACTOR, PATIENCE = 2.0, 5  # the limit over the largest score of held-out structures
HELD_OUT = 5  # every so many labels calibrate, and set the limit


class Size(NamedTuple):
    """How much is run."""

    n_seeds: int = 6
    n_rounds: int = 3
    n_first: int = 40  # labels to begin with
    n_labels: int = 10  # in each round
    n_epochs: int = 300
    n_walkers: int = 4
    n_steps: int = 150  # of each walker, if nothing stops it
    n_tests: int = 200


QUICK = Size(2, 1, 15, 5, 30, 2, 10, 10)


class Learnt(NamedTuple):
    """What the rounds left."""

    sizes: list[int]  # labelled structures, before the first round and after each
    errors: list[float]  # mean over the atoms of the tests, in eV/Å
    steps: list[float]  # that walkers made in each round, on average


def cluster(rng: np.random.Generator) -> Atoms:
    """Make seven atoms of copper and six of gold, in any order."""
    atoms = Icosahedron("Cu", 2)
    atoms.numbers[rng.permutation(len(atoms))[:6]] = 79
    atoms.positions *= 1.06  # gold is larger
    return atoms


def dynamics(atoms: Atoms, temperature: float, rng: np.random.Generator) -> Langevin:
    """Make dynamics that begin with random velocities."""
    spread = np.sqrt(atoms.get_masses() * units.kB * temperature)
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * spread[:, None])
    return Langevin(
        atoms,
        TIMESTEP,
        temperature_K=temperature,
        friction=0.01 / units.fs,
        fixcm=False,
        rng=rng,
    )


def label(atoms: Atoms) -> Atoms:
    """Compute the true forces."""
    labelled = Atoms(atoms.numbers, atoms.positions)
    labelled.calc = SinglePointCalculator(labelled, forces=EMT().get_forces(labelled))
    return labelled


def sample(temperature: float, n: int, rng: np.random.Generator) -> list[Atoms]:
    """Sample labelled clusters by true dynamics, ten of each."""
    frames: list[Atoms] = []
    while len(frames) < n:
        atoms = cluster(rng)
        atoms.calc = EMT()
        run = dynamics(atoms, temperature, rng)
        run.run(60)
        for _ in range(min(10, n - len(frames))):
            run.run(15)
            frames.append(label(atoms))
    return frames


def fit(trained: Trained, known: list[Atoms], held_out: list[Atoms]) -> LTAUEstimator:
    """Fit to the errors of the training, and calibrate on what was held out."""
    network = trained.network
    return fit_structures(
        StructureSamples(known, latents_of(network, known), trained.errors),
        StructureSamples(held_out, latents_of(network, held_out), errors_on(network, held_out)),
        environment=None,
        strata="elements",
    )


def errors_on(network: torch.nn.Module, frames: list[Atoms]) -> Floats:
    """Give the error of each atom's force, in eV/Å."""
    true = np.concatenate([atoms.get_forces() for atoms in frames])
    return np.linalg.norm(forces_of(network, frames) - true, axis=1)


def explore(
    starts: list[Atoms],
    calculator: BaseCalculator,
    limit: float,
    size: Size,
    rng: np.random.Generator,
) -> tuple[list[Atoms], float]:
    """Run dynamics until they are beyond the limit, and give their structures."""
    frames, n_steps = [], 0
    with TemporaryDirectory() as folder:
        for walker, start in enumerate(rng.choice(len(starts), size.n_walkers, replace=False)):
            atoms = Atoms(starts[start].numbers, starts[start].positions)
            atoms.calc = calculator
            run = dynamics(atoms, HOT, rng)
            seen = Path(folder) / f"{walker}.xyz"
            run.attach(
                UncertaintyMonitor(
                    run,
                    seen.with_suffix(".csv"),
                    max_ood_score=limit,
                    patience=PATIENCE,
                    frames=seen,
                )
            )
            run.run(size.n_steps)
            n_steps += run.nsteps
            frames += ase.io.read(seen, index=":")
    return frames, n_steps / size.n_walkers


def by_uncertainty(frames: list[Atoms], n: int, seed: int) -> list[int]:
    """Choose uncertain structures that are not all of a kind."""
    return select(frames, n, random_state=seed).tolist()


def at_random(frames: list[Atoms], n: int, seed: int) -> list[int]:
    """Choose any structures."""
    return np.random.default_rng(seed).choice(len(frames), n, replace=False).tolist()


STRATEGIES: dict[str, Choose] = {"select": by_uncertainty, "random": at_random}


def learn(
    labelled: list[Atoms], tests: list[Atoms], choose: Choose, size: Size, seed: int
) -> Learnt:
    """Train, explore, choose and label, round after round."""
    labelled = list(labelled)
    sizes, errors, steps = [], [], []
    for number in range(size.n_rounds + 1):
        known = [atoms for i, atoms in enumerate(labelled) if i % HELD_OUT]
        held_out = labelled[::HELD_OUT]
        trained = train(known, size.n_epochs, seed)
        sizes.append(len(labelled))
        errors.append(float(errors_on(trained.network, tests).mean()))
        if number == size.n_rounds:
            break
        estimator = fit(trained, known, held_out)
        limit = FACTOR * float(scores(estimator, trained, held_out).max())
        calculator = UncertainCalculator(
            NetworkCalculator(trained.network), estimator, latents, keep_latents=True
        )
        rng = np.random.default_rng([seed, number])  # the same for each strategy
        seen, n_steps = explore(labelled[: size.n_first], calculator, limit, size, rng)
        steps.append(n_steps)
        labelled += [label(seen[i]) for i in choose(seen, size.n_labels, seed)]
    return Learnt(sizes, errors, steps)


def scores(estimator: LTAUEstimator, trained: Trained, frames: list[Atoms]) -> Floats:
    """Tell how far atoms are from those that were trained on."""
    elements = np.concatenate([atoms.numbers for atoms in frames])
    return estimator.ood_score(latents_of(trained.network, frames), elements)


def compare(size: Size) -> dict[str, list[Learnt]]:
    """Learn by each strategy from the same labels, once for each seed."""
    tests = sample(HOT, size.n_tests, np.random.default_rng(1000))
    found: dict[str, list[Learnt]] = {name: [] for name in STRATEGIES}
    for seed in range(size.n_seeds):
        first = sample(COLD, size.n_first, np.random.default_rng(seed))
        for name, choose in STRATEGIES.items():
            found[name].append(learn(first, tests, choose, size, seed))
    return found


def described(found: dict[str, list[Learnt]]) -> str:
    """Lay out a table: means over seeds, and their standard errors."""
    chosen, at_random = (np.array([each.errors for each in found[name]]) for name in STRATEGIES)
    lines = [f"Mean force error at {HOT} K (eV/Å), {len(chosen)} seeds, ± standard error"]
    lines += [f"{'labels':>6}  {'select':>15}  {'random':>15}  {'select - random':>17}"]
    for column, n in enumerate(found["select"][0].sizes):
        one, other = chosen[:, column], at_random[:, column]
        difference = spread(one - other, "+")
        lines.append(f"{n:>6}  {spread(one):>15}  {spread(other):>15}  {difference:>17}")
    for name, all_learnt in found.items():
        steps = np.mean([each.steps for each in all_learnt], axis=0)
        said = ", ".join(f"{n:.0f}" for n in steps)
        lines.append(f"Steps of a walker in each round, {name}: {said}")
    return "\n".join(lines)


def spread(values: Floats, sign: str = "") -> str:
    """Print a mean and its standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():{sign}.3f} ± {error:.3f}"


def draw(found: dict[str, list[Learnt]], path: Path) -> None:
    """Draw the error of each strategy over the number of labels."""
    from matplotlib.figure import Figure

    from ltau.plotting import OKABE_ITO

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for (name, all_learnt), color in zip(found.items(), OKABE_ITO, strict=False):
        sizes = all_learnt[0].sizes
        errors = np.array([each.errors for each in all_learnt])
        axes.plot(sizes, errors.T, color=color, alpha=0.25, lw=1)
        error_of_mean = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
        axes.errorbar(
            sizes, errors.mean(axis=0), error_of_mean, color=color, lw=2, capsize=3, label=name
        )
    axes.set(xlabel="Labelled clusters", ylabel=f"Mean force error at {HOT} K (eV/Å)", xticks=sizes)
    axes.set_ylim(bottom=0)
    axes.legend(title=f"{len(errors)} seeds (thin), and their mean")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Compare both strategies, print the table, and draw it."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("learning.png"))
    parser.add_argument("--seeds", type=int, default=Size().n_seeds)
    parser.add_argument(
        "--quick", action="store_true", help="a short run, whose numbers say little"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("ltau").setLevel(logging.ERROR)  # every walker is meant to be stopped
    found = compare(QUICK if options.quick else Size(options.seeds))
    print(described(found))
    draw(found, options.output)


if __name__ == "__main__":
    main()
