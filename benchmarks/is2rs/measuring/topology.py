"""Which bonds a relaxation breaks and makes, by the neighbour lists of OC20.

OC20 marks relaxations by the reference method as anomalous if the adsorbate dissociates or
desorbs, or if the surface changes. Its definition is that of ``DetectTrajAnomaly`` in
https://github.com/facebookresearch/fairchem (``fairchem.data.oc.utils.flag_anomaly``), which
this one follows but for dissociation: there every change of the bonds in the adsorbate counts,
here only that atoms come apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from benchmarks.is2rs.sources.systems import ADSORBATE

__all__ = ["Anomalies", "anomalies"]

Mask = NDArray[np.bool_]

_SKIN = 0.3  # Å an atom: the default of ASE's lists of neighbours, which OC20's are
_CUSHION = 1.5  # times the covalent radii: a contact so loose that no bond is left beyond it


class Anomalies(NamedTuple):
    """What has become of the bonds between an initial and a final structure.

    Parameters
    ----------
    dissociated : bool
        Atoms of the adsorbate that hung together do so no longer.
    desorbed : bool
        No atom of the adsorbate is in loose contact with the slab.
    reconstructed : bool
        In the slab, a bond is where there was not even a loose contact, or there is not even
        a loose contact where a bond was.
    """

    dissociated: bool
    desorbed: bool
    reconstructed: bool


def anomalies(initial: Atoms, final: Atoms) -> Anomalies:
    """Compare the bonds of two structures of a system.

    Two atoms are bonded if they are nearer than the sum of their covalent radii and 0.6 Å, and
    in loose contact if nearer than 1.5 times that sum and 0.6 Å, to any periodic image.

    Parameters
    ----------
    initial : ase.Atoms
        Where a relaxation begins, with tags. For want of the relaxed clean slab, its slab is
        the one that the final slab is compared with.
    final : ase.Atoms
        Where it ends: the same atoms in the same order.

    Returns
    -------
    Anomalies
        What has happened; both structures are taken as periodic in all directions.

    Raises
    ------
    ValueError
        If the atoms are not the same, or their tags do not tell an adsorbate and a slab.
    """
    if not np.array_equal(initial.numbers, final.numbers):
        raise ValueError(
            "Expected the same atoms in the initial and the final structure, "
            f"got {initial.symbols} and {final.symbols}."
        )
    adsorbate = initial.get_tags() == ADSORBATE
    if adsorbate.all() or not adsorbate.any():
        raise ValueError(
            f"Expected an adsorbate, tagged {ADSORBATE}, on a slab, tagged otherwise, "
            f"got only the tags {np.unique(initial.get_tags()).tolist()}."
        )
    before, after = initial[adsorbate], final[adsorbate]
    return Anomalies(
        dissociated=_come_apart(_contacts(before), _contacts(after)),
        desorbed=not _contacts(final, _CUSHION)[adsorbate][:, ~adsorbate].any(),
        reconstructed=_has_changed(initial[~adsorbate], final[~adsorbate]),
    )


def _contacts(atoms: Atoms, multiplier: float = 1.0) -> Mask:
    """Tell which atoms are near each other, by so many times their covalent radii."""
    periodic = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    radii = multiplier * covalent_radii[atoms.numbers] + _SKIN
    first, second = neighbor_list("ij", periodic, radii)
    contacts = np.zeros((len(atoms), len(atoms)), dtype=bool)
    contacts[first, second] = True
    return contacts


def _come_apart(before: Mask, after: Mask) -> bool:
    """Tell whether bonded atoms end in different pieces."""
    _, piece = connected_components(after, directed=False)
    return bool((before & (piece[:, None] != piece)).any())


def _has_changed(before: Atoms, after: Atoms) -> bool:
    """Tell whether bonds were made or broken, beyond a tolerance either way."""
    made = _contacts(after) & ~_contacts(before, _CUSHION)
    broken = _contacts(before) & ~_contacts(after, _CUSHION)
    return bool((made | broken).any())
