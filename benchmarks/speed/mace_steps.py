"""What the uncertainty adds to a step of MACE's calculator, on one thread.

    python -m benchmarks.speed.mace_steps acac-results

takes what ``python examples/acac/acac.py --model mace`` has left in a folder: the model, the
estimator, and the structures that were held out. It calculates the forces of each structure with
the uncertainty and without in turn, both by the processor's time, and prints medians with
quartiles over structures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ase.io
import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from mace.calculators import MACECalculator

from benchmarks.harness.timing import processor_seconds, quartiles
from ltau import LTAUEstimator
from ltau.adapters.mace import UncertainMACECalculator

N_ROUNDS = 20


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of the example")
    folder: Path = parser.parse_args().folder
    torch.set_num_threads(1)
    model = folder / "training" / "checkpoints" / "acac_run-0.model"
    estimator = LTAUEstimator.load(folder / "acac.ltau")
    calculators = {
        "without": MACECalculator(model_paths=str(model), device="cpu", default_dtype="float32"),
        "with": UncertainMACECalculator.from_model(model, estimator),
    }
    frames = [
        Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
        for frame in ase.io.read(folder / "validation.extxyz", ":")
    ]
    seconds = {name: np.empty((N_ROUNDS, len(frames))) for name in calculators}
    for number in range(-1, N_ROUNDS):  # the first round warms up
        for name, calculator in calculators.items():
            spent = [seconds_of_step(frame, calculator) for frame in frames]
            if number >= 0:
                seconds[name][number] = spent
    middle = {name: np.median(rounds, axis=0) for name, rounds in seconds.items()}
    for name, of_frames in middle.items():
        low, median, high = quartiles(1000 * of_frames)
        print(f"{name:8} {median:.2f} ms [{low:.2f}, {high:.2f}]")
    low, median, high = quartiles(middle["with"] / middle["without"])
    print(f"ratio    {median:.3f} [{low:.3f}, {high:.3f}]")


def seconds_of_step(frame: Atoms, calculator: BaseCalculator) -> float:
    """Time the forces of a structure, as in a step of dynamics."""
    atoms = frame.copy()
    atoms.calc = calculator
    return processor_seconds(atoms.get_forces)[1]


if __name__ == "__main__":
    main()
