"""A model of copper to try engines with, and its uncertainty: put your own in its place.

The model is a Lennard-Jones potential, the truth is ASE's effective-medium theory, and three
potentials on the way to the model stand for the checkpoints of a training.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator, errors_from_checkpoints

CUTOFF, SHELLS = 5.0, np.array([2.2, 2.6, 3.2, 4.0])  # Å


def crystal(spread: float, seed: int) -> Atoms:
    """Make 32 atoms of copper, displaced at random by `spread` (Å)."""
    atoms = bulk("Cu", cubic=True, a=3.65) * 2
    atoms.rattle(spread, seed=seed)
    return atoms


def latents(atoms: Atoms, calculator: object = None) -> NDArray[np.float64]:
    """Count each atom's neighbours in four smooth shells, in place of a network's features."""
    centres, distances = neighbor_list("id", atoms, CUTOFF)
    near = np.exp(-((distances[:, None] - SHELLS) ** 2)) * (1 - distances[:, None] / CUTOFF) ** 2
    found = np.zeros((len(atoms), len(SHELLS)))
    np.add.at(found, centres, near)
    return found


def potential(epsilon: float) -> LennardJones:
    """Make a stage of the training."""
    return LennardJones(sigma=2.3, epsilon=epsilon, rc=CUTOFF, smooth=True)


def make_calculator() -> UncertainCalculator:
    """Fit an estimator to the errors on labelled crystals, and put it beside the model."""
    frames = [crystal(0.02 + 0.01 * (seed % 8), seed) for seed in range(24)]
    for frame in frames:
        forces = EMT().get_forces(frame)
        frame.calc = SinglePointCalculator(frame, forces=forces)
    errors = errors_from_checkpoints([potential(e) for e in (0.2, 0.25, 0.28)], frames)
    estimator = LTAUEstimator(burn_in=0).fit(np.vstack([latents(f) for f in frames]), errors)
    return UncertainCalculator(potential(0.28), estimator, latents)
