"""Predicted against true errors of the forces, on all paths of some systems together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.is2rs.measuring.geometry import minimum_image_distances, watched_atoms
from benchmarks.is2rs.measuring.judging import Relaxed
from benchmarks.is2rs.measuring.labels import step_errors
from benchmarks.is2rs.measuring.scores import QUANTITIES, step_scores
from benchmarks.is2rs.relaxing.paths import Path

__all__ = ["Rows", "atom_rows", "error_name", "known_path", "step_rows"]

Floats = NDArray[np.float64]

_N_STEPS = 10  # of a path, whose atoms count: those of its other steps are much the same


@dataclass(frozen=True)
class Rows:
    """True errors with what is to rank them.

    Parameters
    ----------
    truth : ndarray of shape (n,)
        True errors of the forces, in eV/Å.
    scores : dict of str to ndarray of shape (n,)
        By name; higher where the error should be larger.
    clusters : ndarray of shape (n,), str
        Which rows are not independent, as `System.cluster`.
    """

    truth: Floats
    scores: dict[str, Floats]
    clusters: NDArray[np.str_]


def known_path(relaxed: Relaxed) -> Path | None:
    """Give the path on which true errors are known: the force field's own, or the reference's.

    Parameters
    ----------
    relaxed : Relaxed
        A relaxed system.

    Returns
    -------
    Path or None
        None if they are known on neither.
    """
    for path in (relaxed.path, relaxed.reference):
        if path is not None and path.true_error.size:
            return path
    return None


def error_name(relaxed: Sequence[Relaxed]) -> str:
    """Name the errors of `known_path`, by whose path it is.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems.

    Returns
    -------
    str
        "true force error" on the paths of the force field; "error on the DFT path" where true
        forces are known on the frames of the reference method alone.
    """
    own = any(each.path.true_error.size for each in relaxed)
    return "true force error" if own else "error on the DFT path"


def step_rows(relaxed: Sequence[Relaxed]) -> Rows | None:
    """Give one row per step: the mean error over atoms, and `measuring.scores.step_scores`.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems; those without true errors are left out.

    Returns
    -------
    Rows or None
        None if no true errors are known.
    """
    return _rows(relaxed, step_errors, step_scores)


def atom_rows(relaxed: Sequence[Relaxed]) -> Rows | None:
    """Give one row per atom, at ten steps of each path, evenly spaced from the first to the last.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems; those without true errors are left out.

    Returns
    -------
    Rows or None
        Of the free atoms of adsorbate and surface. Beside the quantities, the baselines are the
        number of atoms, the length of the force on the atom, in eV/Å, how far it is from where it
        started, in Å, and the number of the step. None if no true errors are known.
    """
    return _rows(relaxed, lambda path: _of_atoms(path, path.true_error), _atom_scores)


def _rows(
    relaxed: Sequence[Relaxed],
    truth: Callable[[Path], Floats],
    scores: Callable[[Path], dict[str, Floats]],
) -> Rows | None:
    """Put the rows of all paths together, and the scores that all of them have."""
    found = [(known_path(each), each.system.cluster) for each in relaxed]
    paths = [(path, cluster) for path, cluster in found if path is not None]
    if not paths:
        return None
    truths = [truth(path) for path, _ in paths]
    columns = [scores(path) for path, _ in paths]
    return Rows(
        np.concatenate(truths),
        {
            name: np.concatenate([each[name] for each in columns])
            for name in columns[0]
            if all(name in each for each in columns)
        },
        np.repeat([cluster for _, cluster in paths], [len(rows) for rows in truths]),
    )


def _atom_scores(path: Path) -> dict[str, Floats]:
    shape = path.expected_error.shape
    columns = {name: getattr(path, column) for name, column in QUANTITIES.items()} | {
        "number of atoms": np.full(shape, float(shape[1])),
        "force": np.linalg.norm(path.forces, axis=-1),
        "displacement": minimum_image_distances(path.positions[0], path.positions, path.cell),
        "step": np.broadcast_to(np.arange(shape[0], dtype=np.float64)[:, None], shape),
        "constant": np.zeros(shape),
    }
    return {name: _of_atoms(path, values) for name, values in columns.items() if values.size}


def _of_atoms(path: Path, values: Floats) -> Floats:
    """Take the atoms that are watched, at some steps."""
    steps = np.unique(np.linspace(0, len(path) - 1, _N_STEPS).round().astype(int))
    taken: Floats = values[steps][:, watched_atoms(path)].ravel()
    return taken
