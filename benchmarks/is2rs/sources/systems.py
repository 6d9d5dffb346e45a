"""An adsorbate on a slab, as the reference method has relaxed it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from numpy.typing import NDArray

__all__ = [
    "ADSORBATE",
    "SPLITS",
    "SUBSURFACE",
    "SURFACE",
    "DataError",
    "System",
    "fixed_atoms",
    "free_atoms",
]

SUBSURFACE, SURFACE, ADSORBATE = 0, 1, 2  # tags of the atoms, as OC20 has them

SPLITS = ("val_id", "val_ood_ads", "val_ood_cat", "val_ood_both")
"""What is relaxed: like the training, with unseen adsorbates, unseen slabs, or both."""


class DataError(ValueError):
    """A file of data is damaged, incomplete, or not what it should be."""


@dataclass(frozen=True)
class System:
    """An adsorbate on a slab.

    Parameters
    ----------
    sid : str
        Its name, unique in its source.
    split : str
        ``"train"``, one of `SPLITS`, or ``"all"`` where the source has no splits.
    frames : tuple of ase.Atoms
        Of the reference method, with energies, with forces where there are any, with tags, and
        with the fixed atoms as a constraint. If `relaxes`, the path of its relaxation, from the
        initial structure to the relaxed one.
    relaxes : bool
        Whether the frames are a relaxation, not just structures to train on.
    reference_energy : float or None
        Energy of the clean slab and of the molecule in vacuum, in eV, which an adsorption energy
        is counted from; None if it is unknown.
    bulk, adsorbate : str
        What the slab is cut from, and what is on it; formulas, or names of OC20's.
    anomaly : int
        OC20's: 0 none, 1 dissociation, 2 desorption, 3 reconstruction of the surface, 4 other, in
        the relaxation by the reference method.
    """

    sid: str
    split: str
    frames: tuple[Atoms, ...]
    relaxes: bool
    reference_energy: float | None
    bulk: str
    adsorbate: str
    anomaly: int = 0

    @property
    def initial(self) -> Atoms:
        """Where the relaxation begins."""
        return self.frames[0]

    @property
    def relaxed(self) -> Atoms:
        """Where the reference method ends."""
        return self.frames[-1]

    @property
    def cluster(self) -> str:
        """Bulk and adsorbate: systems that share both are not independent."""
        return f"{self.bulk} + {self.adsorbate}"


def fixed_atoms(atoms: Atoms) -> NDArray[np.bool_]:
    """Tell which atoms do not move."""
    fixed = np.zeros(len(atoms), dtype=bool)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            fixed[constraint.index] = True
    return fixed


def free_atoms(atoms: Atoms) -> NDArray[np.bool_]:
    """Tell which atoms move."""
    return ~fixed_atoms(atoms)
