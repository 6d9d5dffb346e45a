"""Copper with gold, periodic and not, and cheap latents of the atoms."""

import numpy as np
from ase.build import bulk, fcc111
from ase.neighborlist import neighbor_list


def shells(atoms, calculator=None):
    """How many neighbours an atom has in each of four smooth shells, whatever the image."""
    centres, distances = neighbor_list("id", atoms, 5.0)
    radii = np.array([2.2, 2.6, 3.2, 4.0])
    near = np.exp(-((distances[:, None] - radii) ** 2)) * (1 - distances[:, None] / 5) ** 2
    latents = np.zeros((len(atoms), len(radii)))
    np.add.at(latents, centres, near)
    return latents


def crystal(seed=0, spread=0.05):
    atoms = bulk("Cu", cubic=True, a=3.7).repeat((2, 2, 2))
    atoms.symbols[::7] = "Au"
    atoms.rattle(spread, seed=seed)
    return atoms


def sheared(seed=0, spread=0.05):
    """The same in a box that is not orthogonal."""
    atoms = crystal(seed, spread)
    shear = np.array([[0, 0, 0], [1.3, 0, 0], [-0.7, 0.9, 0]])
    atoms.set_cell(atoms.cell[:] + shear, scale_atoms=True)
    return atoms


def slab(seed=0, spread=0.05):
    """Periodic along two of three directions."""
    atoms = fcc111("Cu", (3, 3, 3), orthogonal=False, vacuum=6.0)
    atoms.info.clear()  # what ASE builds with, which files do not take
    atoms.symbols[::5] = "Au"
    atoms.rattle(spread, seed=seed)
    return atoms


def cluster(seed=0, spread=0.05):
    atoms = crystal(seed, spread)
    atoms.pbc = False
    atoms.center(vacuum=8.0)
    return atoms


STRUCTURES = {make.__name__: make for make in (crystal, sheared, slab, cluster)}
