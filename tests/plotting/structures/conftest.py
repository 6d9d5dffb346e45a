"""Frames with the columns that calculators leave."""

import numpy as np
import pytest


def computed(atoms, seed, known=True):
    """A structure with forces, and how wrong they may be."""
    from ase.calculators.singlepoint import SinglePointCalculator

    rng = np.random.default_rng(seed)
    n = len(atoms)
    atoms.arrays["forces_uncertainty"] = rng.uniform(0.1, 1, n) if known else np.full(n, np.nan)
    atoms.arrays["ood_score"] = rng.uniform(0.8, 3, n) if known else np.full(n, np.nan)
    atoms.calc = SinglePointCalculator(atoms, forces=rng.normal(size=(n, 3)))
    return atoms


@pytest.fixture
def frames():
    """A crystal, a molecule of other atoms, and an atom of which nothing is known."""
    pytest.importorskip("ase")
    from ase import Atoms
    from ase.build import bulk, molecule

    crystal, ethane = computed(bulk("Cu", cubic=True), 0), computed(molecule("C2H6"), 1)
    return [crystal, ethane, computed(Atoms("H"), 2, known=False)]
