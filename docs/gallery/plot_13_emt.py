"""
A force field, and where it is wrong
====================================

A pair potential stands for a force field in training: its checkpoints come closer to the forces of
ASE's effective-medium theory (EMT). `fit_frames` learns from them how wrong the last one is, atom
by atom.
"""

# %%
# Copper with vacancies
# ---------------------
# Forces of EMT are the labels. Crystals are rattled, and miss one atom in thirty.

import matplotlib.pyplot as plt
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential
from ase.calculators.singlepoint import SinglePointCalculator
from ase.neighborlist import neighbor_list

from ltau.adapters.ase import UncertainCalculator, fit_frames
from ltau.plotting import PredictedErrorDisplay


def labelled(seed):
    rng = np.random.default_rng(seed)
    crystal = bulk("Cu", cubic=True) * 2
    del crystal[[rng.integers(len(crystal))]]
    crystal.rattle(rng.uniform(0.02, 0.2), rng=rng)
    crystal.calc = EMT()
    forces = crystal.get_forces()
    crystal.calc = SinglePointCalculator(crystal, forces=forces)
    return crystal


def potential(depth):
    return MorsePotential(r0=2.55, epsilon=depth, rho0=4.0, rcut1=4.5, rcut2=5.5)


def latents(atoms, calculator):
    """Numbers of neighbours in shells, of each atom."""
    i, distance = neighbor_list("id", atoms, 5.0)
    shells = [np.exp(-(((distance - r) / 0.3) ** 2)) for r in np.arange(2.0, 5.0, 0.3)]
    return np.stack([np.bincount(i, shell, len(atoms)) for shell in shells], axis=1)


# %%
# Fit, and predict
# ----------------
# Some structures are held out, and calibrate the error bars.

frames = [labelled(seed) for seed in range(28)]
checkpoints = [potential(depth) for depth in (0.1, 0.2, 0.3)]
estimator = fit_frames(frames[:14], checkpoints, latents, held_out=frames[14:20])

observed, expected, upper = [], [], []
for frame in frames[20:]:
    atoms = frame.copy()
    atoms.calc = UncertainCalculator(checkpoints[-1], estimator, latents)
    observed.append(np.linalg.norm(atoms.get_forces() - frame.get_forces(), axis=1))
    expected.append(atoms.arrays["forces_uncertainty"])
    upper.append(atoms.arrays["forces_uncertainty_upper"])
observed, expected, upper = map(np.concatenate, (observed, expected, upper))
print(f"Within the 90 % error bar: {np.mean(observed <= upper):.3f} of {len(observed)} forces")
print(f"Mean error: {observed.mean():.3f} eV/Å, expected {expected.mean():.3f} eV/Å")

# %%
# Observed and expected
# ---------------------
# Each point is the force on one atom of a crystal that was not fitted to.

figure, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
PredictedErrorDisplay.from_predictions(observed, expected, unit="eV/Å", ax=ax)
# sphinx_gallery_alt = "Observed against predicted force error from 0.1 to 2 eV/Å, on logarithmic axes. The means of bins rise along the diagonal."
plt.show()

# %%
# **Next:** :doc:`/calculators` for other calculators, :doc:`/forcefields` to watch dynamics.
