"""Relaxation of a system by a force field whose errors are predicted at every step."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.optimize import FIRE, LBFGS
from ase.optimize.optimize import Optimizer
from numpy.typing import NDArray

from benchmarks.harness.timing import wall_seconds
from benchmarks.is2rs.relaxing.force_field import ForceField
from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import System, free_atoms
from ltau.adapters.nequip import UncertainNequIPCalculator

__all__ = ["OPTIMIZERS", "Descent", "relax", "step_costs"]

_N_TIMED = 20  # structures of a path


@dataclass(frozen=True)
class Descent:
    """An optimiser, and when it stops: no force on a free atom above `fmax`, or so many steps.

    Parameters
    ----------
    kind : callable
        The optimiser of ASE.
    options : dict
        Its options.
    fmax : float
        In eV/Å.
    n_steps : int
        The most steps.
    """

    kind: Callable[..., Optimizer]
    options: dict[str, float]
    fmax: float
    n_steps: int


OPTIMIZERS = {
    # As OC20's own relaxations by force fields.
    "LBFGS": Descent(
        LBFGS, {"maxstep": 0.04, "memory": 50, "damping": 1.0, "alpha": 70.0}, 0.02, 300
    ),
    # As the published implementation of LTAU for force fields.
    "FIRE": Descent(FIRE, {}, 0.05, 1000),
}


def relax(system: System, force_field: ForceField, descent: Descent) -> Path:
    """Relax a system from its initial structure; only its free atoms move.

    Parameters
    ----------
    system : System
        A system that relaxes.
    force_field : ForceField
        By which it relaxes.
    descent : Descent
        The optimiser.

    Returns
    -------
    Path
        Every step, with what is predicted of its errors.

    Raises
    ------
    ValueError
        If the force field or its estimator does not know an element; or if a calculation fails.
    """
    atoms = Atoms(
        system.initial.numbers,
        system.initial.positions,
        cell=system.initial.cell,
        pbc=True,
        constraint=system.initial.constraints,
    )
    atoms.calc = force_field.calculator
    rows = []
    optimizer = descent.kind(atoms, logfile=None, **descent.options)
    optimizer.attach(lambda: rows.append((atoms.positions.copy(), copy(atoms.calc.results))))
    converged = bool(optimizer.run(fmax=descent.fmax, steps=descent.n_steps))
    positions = np.array([row[0] for row in rows])

    def column(name: str) -> NDArray[np.float64]:
        return np.array([row[1][name] for row in rows], dtype=np.float64)

    return Path(
        numbers=atoms.numbers,
        tags=system.initial.get_tags(),
        free=free_atoms(atoms),
        cell=atoms.cell.array,
        positions=positions,
        forces=column("forces"),
        energy=column("energy"),
        expected_error=column("forces_uncertainty"),
        exceedance=column("forces_error_probability"),
        ood_score=column("ood_score"),
        distance=force_field.distances(column("latents"), atoms.numbers),
        spread=force_field.spread(atoms, positions),
        true_error=np.empty((0, 0)),
        converged=converged,
    )


def step_costs(path: Path, calculator: UncertainNequIPCalculator) -> tuple[float, float]:
    """Time what a step costs, on structures of a path.

    Parameters
    ----------
    path : Path
        A path that the calculator made.
    calculator : UncertainNequIPCalculator
        The force field.

    Returns
    -------
    step_seconds, forward_seconds : float
        Median times of energy, forces and uncertainty together, and without the uncertainty.
    """
    chosen = np.unique(np.linspace(0, len(path) - 1, _N_TIMED).round().astype(int))
    atoms = Atoms(path.numbers, cell=path.cell, pbc=True, calculator=calculator)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    try:
        for row in chosen:
            for enabled in seconds:
                calculator.uncertainty.enabled = enabled
                calculator.reset()
                atoms.positions = path.positions[row]
                seconds[enabled].append(wall_seconds(atoms.get_forces)[1])
    finally:
        calculator.uncertainty.enabled = True
    return float(np.median(seconds[True])), float(np.median(seconds[False]))
