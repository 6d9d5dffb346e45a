"""What the uncertainty adds to a step of MACE's calculator, on one thread.

    python -m benchmarks.speed.mace_steps acac-results test_MD_300K.xyz.xz test_MD_600K.xyz.xz

takes what ``python examples/acac/acac.py --model mace`` has left in a folder: the training, the
estimator, and the structures that were held out. It fits another estimator with 200 prototypes,
calculates the forces of each structure without the uncertainty and with that of either estimator
in turn, by the processor's time, and prints medians with quartiles over structures. Of the first
200 structures of each file that follows, it prints how well either ranks the errors of all atoms,
and how many of them its 90 % error bars cover.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from mace.calculators import MACECalculator
from numpy.typing import NDArray

from benchmarks.harness.timing import processor_seconds, quartiles
from ltau import LTAUEstimator
from ltau.adapters.mace import UncertainMACECalculator, fit_run
from ltau.metrics import coverage, spearman
from ltau.structures import iread

N_ROUNDS = 20
N_TESTED = 200  # structures of a file


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of the example")
    parser.add_argument("tests", type=Path, nargs="*", help="structures with energies and forces")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    tests = [list(islice(iread(path, format="extxyz"), N_TESTED)) for path in arguments.tests]
    torch.set_num_threads(1)
    model = folder / "training" / "checkpoints" / "acac_run-0.model"
    prototypes = LTAUEstimator(3, n_prototypes=200)
    estimators = {
        "all samples": LTAUEstimator.load(folder / "acac.ltau"),
        "200 prototypes": fit_run(folder / "training", estimator=prototypes),
    }
    plain = MACECalculator(model_paths=str(model), device="cpu", default_dtype="float32")
    uncertain = {
        name: UncertainMACECalculator.from_model(model, estimator)
        for name, estimator in estimators.items()
    }
    frames = list(iread(folder / "validation.extxyz"))
    calculators = {"without": plain, **uncertain}
    seconds = {name: np.empty((N_ROUNDS, len(frames))) for name in calculators}
    for number in range(-1, N_ROUNDS):  # the first round warms up
        for name, calculator in calculators.items():
            spent = [seconds_of_step(frame, calculator) for frame in frames]
            if number >= 0:
                seconds[name][number] = spent
    middle = {name: np.median(rounds, axis=0) for name, rounds in seconds.items()}
    print(f"{'without':15} {text(1000 * middle['without'])} ms")
    for name, calculator in uncertain.items():
        ratio = text(middle[name] / middle["without"])
        print(f"{name:15} {text(1000 * middle[name])} ms  ratio {ratio}")
        for path, structures in zip(arguments.tests, tests, strict=True):
            rank, covered = quality(structures, calculator)
            print(f"  {path.name}: rank correlation {rank:.3f}, coverage at 90 % {covered:.3f}")


def text(values: NDArray[np.float64]) -> str:
    """Write the median and the quartiles."""
    low, median, high = quartiles(values)
    return f"{median:.2f} [{low:.2f}, {high:.2f}]"


def quality(frames: list[Atoms], calculator: BaseCalculator) -> tuple[float, float]:
    """Correlate true and expected errors of all atoms, and find the share within error bars."""
    errors, expected, upper = [], [], []
    for frame in frames:
        atoms = bare(frame)
        atoms.calc = calculator
        errors.append(np.linalg.norm(atoms.get_forces() - frame.get_forces(), axis=1))
        expected.append(calculator.results["forces_uncertainty"])
        upper.append(calculator.results["forces_uncertainty_upper"])
    error = np.concatenate(errors)
    return (
        spearman(error, np.concatenate(expected)),
        coverage(error, upper=np.concatenate(upper)),
    )


def bare(frame: Atoms) -> Atoms:
    """Take a structure without what is known of it."""
    return Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)


def seconds_of_step(frame: Atoms, calculator: BaseCalculator) -> float:
    """Time the forces of a structure, as in a step of dynamics."""
    atoms = bare(frame)
    atoms.calc = calculator
    return processor_seconds(atoms.get_forces)[1]


if __name__ == "__main__":
    main()
