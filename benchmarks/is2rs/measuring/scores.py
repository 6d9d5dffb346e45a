"""Scores that may warn of a bad relaxation, from what the force field says along its path.

A score of a relaxation is a quantity by step and atom, first put together over the atoms of the
adsorbate and the surface that are free, then over steps. Its name says so: ``"expected error, max
step, mean atom"`` is the largest over steps of the mean over atoms. Names of baselines have no
commas. Higher is always meant to be worse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.is2rs.measuring.geometry import minimum_image_distances, watched_atoms
from benchmarks.is2rs.relaxing.paths import Path

__all__ = ["BASELINES", "QUANTITIES", "STEP_BASELINES", "Name", "scores", "step_scores"]

Floats = NDArray[np.float64]

QUANTITIES = {
    "expected error": "expected_error",
    "P(error > tolerance)": "exceedance",
    "OOD score": "ood_score",
    "distance": "distance",
    "spread": "spread",
}
"""What is scored by step and atom: its name, and that of the column of a `Path`.

The last two are baselines: the distance to the nearest neighbours alone, and an ensemble, where
there is one.
"""

BASELINES = ("number of atoms", "initial force", "displacement", "steps", "constant")
"""Scores of a relaxation without any predicted error."""

STEP_BASELINES = ("number of atoms", "largest force", "displacement", "step", "constant")
"""Scores of a step without any predicted error."""

_OVER_ATOMS: dict[str, Callable[[Floats], Floats]] = {
    "max": lambda values: values.max(axis=1),
    "mean": lambda values: values.mean(axis=1),
}
_OVER_STEPS: dict[str, Callable[[Floats], float]] = {
    "max": lambda values: float(values.max()),
    "mean": lambda values: float(values.mean()),
    "last": lambda values: float(values[-1]),
}


class Name(NamedTuple):
    """The name of a score of a relaxation, in parts.

    Parameters
    ----------
    quantity : str
        One of `QUANTITIES` or of `BASELINES`.
    step : {"max", "mean", "last"} or None
        How it is put together over steps; None for a baseline of `BASELINES`.
    atom : {"max", "mean"} or None
        How it is put together over atoms, before that.
    """

    quantity: str
    step: str | None = None
    atom: str | None = None

    def __str__(self) -> str:
        if self.step is None:
            return self.quantity
        return f"{self.quantity}, {self.step} step, {self.atom} atom"

    @classmethod
    def split(cls, name: str) -> Name:
        """Take a name of `scores` apart."""
        quantity, *parts = name.split(", ")
        return cls(quantity, *(part.split()[0] for part in parts))


def scores(path: Path, first: int | None = None) -> dict[str, float]:
    """Score a relaxation.

    Parameters
    ----------
    path : Path
        The relaxation by the force field.
    first : int, optional
        How many steps to look at, for an early warning: 1 is the initial structure alone. A
        path that is shorter is looked at whole. By default all are.

    Returns
    -------
    dict of str to float
        By name, see `Name`: each of `QUANTITIES`, in its unit, six ways, the spread where there
        is an ensemble; and the `BASELINES`. These are the number of atoms; the largest force on
        a free atom in the initial structure, in eV/Å; how far the free atoms are on average from
        where they started, in Å, after the last step looked at; the number of steps; and 0.

    Raises
    ------
    ValueError
        If `first` is below 1, or no atom of the adsorbate or the surface is free.
    """
    if first is not None and first < 1:
        raise ValueError(f"Expected first >= 1, got {first}.")
    seen = slice(first)
    found = {
        str(Name(quantity, step, atom)): over_steps(over_atoms(values[seen]))
        for quantity, values in _quantities(path).items()
        for step, over_steps in _OVER_STEPS.items()
        for atom, over_atoms in _OVER_ATOMS.items()
    }
    n_steps = len(path.energy[seen])
    return found | {
        "number of atoms": float(len(path.numbers)),
        "initial force": float(_largest_force(path)[0]),
        "displacement": float(_displacement(path)[n_steps - 1]),
        "steps": float(n_steps),
        "constant": 0.0,
    }


def step_scores(path: Path) -> dict[str, Floats]:
    """Score each step of a path, to rank the true errors of the forces.

    Parameters
    ----------
    path : Path
        The path.

    Returns
    -------
    dict of str to ndarray of shape (n_steps,)
        Each of `QUANTITIES`, averaged over the free atoms of adsorbate and surface, in its unit;
        and the `STEP_BASELINES`. These are the number of atoms; the largest force of the step on
        a free atom, in eV/Å; how far the free atoms are on average from where they started, in
        Å; the number of the step, from 0; and 0.

    Raises
    ------
    ValueError
        If no atom of the adsorbate or the surface is free.
    """
    n_steps = len(path)
    means = {name: _OVER_ATOMS["mean"](values) for name, values in _quantities(path).items()}
    return means | {
        "number of atoms": np.full(n_steps, float(len(path.numbers))),
        "largest force": _largest_force(path),
        "displacement": _displacement(path),
        "step": np.arange(n_steps, dtype=np.float64),
        "constant": np.zeros(n_steps),
    }


def _quantities(path: Path) -> dict[str, Floats]:
    """Give what there is of the quantities, on the atoms that are watched."""
    watched = watched_atoms(path)
    columns = {name: getattr(path, column) for name, column in QUANTITIES.items()}
    return {name: values[:, watched] for name, values in columns.items() if values.size}


def _largest_force(path: Path) -> Floats:
    forces: Floats = np.linalg.norm(path.forces[:, path.free], axis=-1).max(axis=1)
    return forces


def _displacement(path: Path) -> Floats:
    positions = path.positions[:, path.free]
    moved: Floats = minimum_image_distances(positions[0], positions, path.cell).mean(axis=1)
    return moved
