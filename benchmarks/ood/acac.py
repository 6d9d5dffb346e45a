"""Acetylacetone at 300 K, where a force field learns it, and at 600 K.

The structures are those of https://github.com/davkovacs/BOTNet-datasets (``dataset_acac``), with
energies and forces of density-functional theory.
"""

from __future__ import annotations

from ase import Atoms

from benchmarks.harness.data import find
from benchmarks.methods.domains import IN_DOMAIN
from ltau.structures import iread

__all__ = ["frames"]


def frames(n_train: int, n_test: int) -> dict[str, list[Atoms]]:
    """Read the structures.

    Parameters
    ----------
    n_train, n_test : int
        How many to train on and of each test set, at most: the first ones.

    Returns
    -------
    dict of str to list of ase.Atoms
        With energies and forces: to train on, for validation, the test set in domain, and
        that at 600 K.
    """
    training = _read("train_300K")
    return {
        "train": [atoms for number, atoms in enumerate(training) if number % 10 != 9][:n_train],
        "validation": training[9::10],
        IN_DOMAIN: _read("test_MD_300K")[:n_test],
        "600 K": _read("test_MD_600K")[:n_test],
    }


def _read(name: str) -> list[Atoms]:
    return list(iread(find(f"acac/{name}.xyz"), format="extxyz"))
