"""How far a relaxation by the force field is from that by the reference method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from benchmarks.is2rs.measuring.geometry import minimum_image_distances, watched_atoms
from benchmarks.is2rs.measuring.topology import anomalies
from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import System

__all__ = ["DISTANCES", "ENERGIES", "Judgement", "judge", "step_errors"]

DISTANCES = (0.1, 0.3, 0.5)  # Å
"""From where on a relaxed structure is wrong."""

ENERGIES = (0.1, 0.5, 1.0)  # eV
"""From where on an energy is wrong."""

EnergyKind = Literal["adsorption", "relaxation"]


@dataclass(frozen=True)
class Judgement:
    """What a relaxation came to: values, and labels that are True if it is bad.

    Parameters
    ----------
    distance : float
        Mean distance of the free atoms, in Å, between the relaxed structure and that of the
        reference method, to the nearest periodic images.
    energy_error : float
        Absolute error of the energy, in eV; NaN if that of the reference method is unknown.
    energy_kind : {"adsorption", "relaxation"}
        What energy that is: of adsorption, if what it is counted from is known, or else what the
        relaxation gains, from the initial to the relaxed structure.
    force_error_mean, force_error_max : float
        Length of the error of the force, in eV/Å, over the steps and the free atoms of adsorbate
        and surface; NaN if it is unknown on this path.
    n_steps, n_atoms : int
        Structures on the path, with the initial one, and atoms.
    labels : dict of str to bool or None
        ``"L1"``, not converged; ``"L2 0.1"`` and so on, `distance` at least as large, for each of
        `DISTANCES`; ``"L3 0.1"`` and so on, `energy_error` at least as large, for each of
        `ENERGIES`; ``"L4 dissociated"``, ``"L4 desorbed"`` and ``"L4 reconstructed"``, as
        `measuring.topology` has it, here and not in the relaxation by the reference
        method; ``"L4"``, any of these; ``"any"``, any of all. None where it is unknown.
    """

    distance: float
    energy_error: float
    energy_kind: EnergyKind
    force_error_mean: float
    force_error_max: float
    n_steps: int
    n_atoms: int
    labels: dict[str, bool | None]


def judge(system: System, path: Path) -> Judgement:
    """Compare a relaxation with that by the reference method.

    Parameters
    ----------
    system : System
        The system, with its relaxation by the reference method.
    path : Path
        Its relaxation by the force field. If ``system.reference_energy`` is known, its energies
        are energies of adsorption: those of the reference method less that one.

    Returns
    -------
    Judgement
        Values and labels.

    Raises
    ------
    ValueError
        If the system has no relaxation by the reference method, the path is of other atoms or
        another lattice, or no atom of the adsorbate or the surface is free.
    """
    _check_same(system, path)
    watched = watched_atoms(path)
    distance = minimum_image_distances(
        system.relaxed.positions[path.free], path.positions[-1][path.free], path.cell
    ).mean()
    energy_error, energy_kind = _energy_error(system, path)
    errors = path.true_error[:, watched] if path.true_error.size else np.array([np.nan])
    return Judgement(
        distance=float(distance),
        energy_error=energy_error,
        energy_kind=energy_kind,
        force_error_mean=float(errors.mean()),
        force_error_max=float(errors.max()),
        n_steps=len(path),
        n_atoms=len(path.numbers),
        labels=_labels(system, path, float(distance), energy_error),
    )


def step_errors(path: Path) -> NDArray[np.float64]:
    """Average the true error of the force over atoms, for each step.

    Parameters
    ----------
    path : Path
        A path on which the error is known.

    Returns
    -------
    ndarray of shape (n_steps,)
        Mean over the free atoms of adsorbate and surface, in eV/Å: what
        `measuring.scores.step_scores` are to rank.

    Raises
    ------
    ValueError
        If the error is not known, or no atom of the adsorbate or the surface is free.
    """
    if not path.true_error.size:
        raise ValueError("Expected a path with true errors of the forces, got one without.")
    errors: NDArray[np.float64] = path.true_error[:, watched_atoms(path)].mean(axis=1)
    return errors


def _check_same(system: System, path: Path) -> None:
    if not system.relaxes:
        raise ValueError(
            f"Expected the frames of {system.sid} to be a relaxation, got single structures."
        )
    if not np.array_equal(system.relaxed.numbers, path.numbers):
        raise ValueError(
            f"Expected a path of the {len(system.relaxed)} atoms of {system.sid}, "
            f"{system.relaxed.symbols}, got one of {Atoms(path.numbers).symbols}."
        )
    lattice = system.relaxed.cell.array
    if not np.allclose(lattice, path.cell, atol=1e-4):
        raise ValueError(
            f"Expected a path in the lattice of {system.sid}, {lattice.tolist()}, "
            f"got {path.cell.tolist()}."
        )


def _energy_error(system: System, path: Path) -> tuple[float, EnergyKind]:
    relaxed = _energy(system.relaxed)
    if system.reference_energy is not None:
        return abs(float(path.energy[-1]) - (relaxed - system.reference_energy)), "adsorption"
    gain = relaxed - _energy(system.initial)
    return abs(float(path.energy[-1] - path.energy[0]) - gain), "relaxation"


def _energy(atoms: Atoms) -> float:
    """Read an energy of the reference method, in eV; NaN if there is none."""
    return float(atoms.calc.results.get("energy", np.nan)) if atoms.calc else np.nan


def _labels(
    system: System, path: Path, distance: float, energy_error: float
) -> dict[str, bool | None]:
    end = Atoms(path.numbers, path.positions[-1], cell=path.cell, pbc=True)
    here = anomalies(system.initial, end)
    there = anomalies(system.initial, system.relaxed)
    topology = {
        f"L4 {kind}": is_here and not is_there
        for kind, is_here, is_there in zip(here._fields, here, there, strict=True)
    }
    labels: dict[str, bool | None] = {"L1": not path.converged}
    labels |= {f"L2 {limit}": distance >= limit for limit in DISTANCES}
    known = not np.isnan(energy_error)
    labels |= {f"L3 {limit}": energy_error >= limit if known else None for limit in ENERGIES}
    labels |= topology | {"L4": any(topology.values())}
    return labels | {"any": _any(labels)}


def _any(labels: dict[str, bool | None]) -> bool | None:
    """Tell whether any label is True; None if that hangs on one that is unknown."""
    if any(labels.values()):
        return True
    return None if None in labels.values() else False
