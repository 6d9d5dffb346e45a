"""Whether an estimator belongs to a model, by the latents of one structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from ltau.estimator import LTAUEstimator
from ltau.log import ErrorLog
from ltau.structures import StructureSamples, environment_cutoff, environment_latents

__all__ = ["check_same_model", "make_probe", "note_training"]

Latents = NDArray[np.float32]

_LEAST_HEIGHT = 0.5  # Å, of a periodic cell; half the distance of any two atoms that are bound
_MOST_IN_A_CUBE = 8  # atoms in a cubic ångström; of ordinary ones there is one at most
_SAME_MODEL = 1e-3  # relative; compilation changes latents by 2e-6, TF32 by some 1e-4


def make_probe(
    frames: Sequence[Atoms], atoms: Latents, environment: float | None
) -> dict[str, Any]:
    """Note the smallest structure and its latents, in what JSON can hold.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        The structures.
    atoms : ndarray of shape (n_atoms, n_features), float32
        Own latents of all their atoms.
    environment : float or None
        Cutoff of the environments that are a part of what an estimator knows.

    Returns
    -------
    dict
        The probe.
    """
    sizes = [len(frame) for frame in frames]
    smallest = int(np.argmin(sizes))
    first = sum(sizes[:smallest])
    frame = frames[smallest]
    latents = atoms[first : first + len(frame)]
    if environment is not None:
        latents = environment_latents(latents, [frame], environment)
    return {
        "numbers": frame.numbers.tolist(),
        "positions": frame.positions.tolist(),
        "cell": frame.cell.tolist(),
        "pbc": frame.pbc.tolist(),
        "latents": latents.tolist(),
    }


def note_training(
    fitted: LTAUEstimator, log: ErrorLog, epoch: int, samples: StructureSamples
) -> None:
    """Note in an estimator what its log says, and which model it is for.

    Parameters
    ----------
    fitted : LTAUEstimator
        The estimator, as `ltau.structures.fit_structures` gives it.
    log : ErrorLog
        The log of the training.
    epoch : int
        That of the model.
    samples : StructureSamples
        The training structures, with the model's own latents.
    """
    fitted.target_, fitted.unit_ = log.target, log.unit
    fitted.notes_ = {
        **log.notes,
        **fitted.notes_,
        "epoch": epoch,
        "probe": make_probe(samples.frames, samples.latents, environment_cutoff(fitted)),
    }


def _structure(estimator: LTAUEstimator) -> Atoms | None:
    """Give the structure in the estimator's notes, if there is one."""
    probe = _probe(estimator)
    if probe is None:
        return None
    atoms = Atoms(probe["numbers"], probe["positions"], cell=probe["cell"], pbc=probe["pbc"])
    _check_density(atoms)
    return atoms


def _check_density(atoms: Atoms) -> None:
    """Refuse a structure so dense that its atoms would have millions of neighbours.

    The notes come from a file. A cell with faces 0.03 Å apart takes gigabytes to search.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError("Expected a probe with finite positions and cell.")
    inside = atoms.copy()
    if atoms.pbc.any():
        lengths = np.linalg.norm(atoms.cell.complete().reciprocal().array, axis=1)
        if (lengths[atoms.pbc] * _LEAST_HEIGHT > 1).any():
            raise ValueError(
                f"Expected a probe whose cell is at least {_LEAST_HEIGHT} Å high, got the cell "
                f"{atoms.cell.array.tolist()}."
            )
        inside.wrap()
    _, counts = np.unique(np.floor(inside.positions), axis=0, return_counts=True)
    if counts.max(initial=0) > _MOST_IN_A_CUBE:
        raise ValueError(
            f"Expected a probe with at most {_MOST_IN_A_CUBE} atoms in a cubic ångström, got "
            f"{counts.max()}."
        )


def check_same_model(
    estimator: LTAUEstimator, otherwise: Atoms, latents: Callable[[Atoms], Latents]
) -> None:
    """Refuse a model that gives other latents than those that the estimator was fitted on.

    Parameters
    ----------
    estimator : LTAUEstimator
        The estimator. Without notes, the width of the latents is all that can be checked.
    otherwise : ase.Atoms
        A structure to try where there are no notes.
    latents : callable
        Gives the model's latents of a structure, shape (n_atoms, n_features).

    Raises
    ------
    ValueError
        If the latents are others.
    """
    atoms, probe = _structure(estimator), _probe(estimator)
    found = latents(otherwise if atoms is None else atoms)
    if found.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"Expected a model with latents of width {estimator.n_features_in_}, on which "
            f"the estimator was fitted, got {found.shape[1]}."
        )
    if probe is not None:
        _compare(found, np.asarray(probe["latents"], float))


def _probe(estimator: LTAUEstimator) -> Mapping[str, Any] | None:
    probe: Mapping[str, Any] | None = getattr(estimator, "notes_", {}).get("probe")
    return probe


def _compare(latents: Latents, expected: NDArray[np.float64]) -> None:
    if latents.shape != expected.shape:
        raise ValueError(f"Expected a probe of shape {latents.shape}, got {expected.shape}.")
    difference = np.abs(latents - expected).max() / np.abs(expected).max()
    if not difference <= _SAME_MODEL:
        raise ValueError(
            "The estimator belongs to another model, or another checkpoint of this one: on "
            f"a structure that it was fitted on, the latents differ by {difference:.2g} of "
            "the largest."
        )
