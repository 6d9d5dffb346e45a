"""Runs by ASE, to which those of engines are compared, and the tables of both."""

import csv

import numpy as np
from ase import units
from ase.md.verlet import VelocityVerlet

from ltau.adapters.ase import UncertaintyMonitor


def rows(path):
    """The rows of a table, as numbers."""
    with path.open() as file:
        return [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def watched_by_ase(atoms, calculator, path, n_steps, **limits):
    """Watch dynamics of 2 fs a step."""
    atoms = atoms.copy()
    atoms.calc = calculator
    dyn = VelocityVerlet(atoms, 2 * units.fs)
    monitor = UncertaintyMonitor(dyn, path, **limits)
    dyn.attach(monitor)
    dyn.run(n_steps)
    return monitor


def limit_that_stops_late(table, column, patience=1):
    """Find a limit that is passed for `patience` steps in a row, not at once, and clearly."""
    values = np.array([row[column] for row in table])
    limits = np.sort(np.lib.stride_tricks.sliding_window_view(values[:-5], patience).min(axis=1))
    gap = np.argmax(np.diff(limits[len(limits) // 2 :])) + len(limits) // 2
    return (limits[gap] + limits[gap + 1]) / 2


def assert_same_tables(path, expected):
    """Hold what two tables have in common to 1e-5."""
    for row, other in zip(rows(path), rows(expected), strict=True):
        for name, value in row.items():
            np.testing.assert_allclose(value, other[name], rtol=1e-5, err_msg=name)
