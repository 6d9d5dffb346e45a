"""Error trajectories of atoms from a handful of saved models, whatever trained them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import ArrayLike, NDArray

__all__ = ["check_gives_forces", "check_labels", "errors_from_checkpoints", "force_errors"]

Floats = NDArray[np.float64]


def errors_from_checkpoints(
    calculators: Iterable[BaseCalculator], frames: Iterable[Atoms]
) -> Floats:
    """Compute the force errors that saved models make on labelled structures.

    On training structures, the errors of a few checkpoints can replace those of all epochs,
    if a training left no more. Each checkpoint costs a pass over the structures. Atoms are
    ranked about as well, even by the errors of the finished model alone. **The errors of a
    single model are too small**, since it has fitted these very structures, and so are
    error bars: calibrate the estimator on structures that were not trained on, as
    `ltau.structures.fit_structures` does with `held_out`. Compute their errors with the
    finished model, with this function too.

    Parameters
    ----------
    calculators : iterable of ase calculators
        One for each checkpoint, in the order of training: an `LTAUEstimator` leaves out the
        first third by default. A generator may load one after the other.
    frames : iterable of ase.Atoms
        The structures, labelled: each has a calculator that holds forces in eV/Å, as after
        reading a file. They stay as they are.

    Returns
    -------
    ndarray of shape (n_atoms, n_checkpoints), float64
        For each atom, in the order of the structures, and each checkpoint the length of the
        difference between its force and the label, in eV/Å. Constraints make no difference.

    Raises
    ------
    ValueError
        If there are no calculators or no structures; a structure has no labels, or some that
        are not finite; a calculator gives no forces, or not a finite one for every atom; or
        the same calculator comes twice in a row, so that its results may be old ones.
    TypeError
        If a frame is not an `ase.Atoms`.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.lj import LennardJones
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from ltau.adapters.ase import errors_from_checkpoints
    >>> frames = [bulk("Ar", cubic=True) * 2 for _ in range(3)]
    >>> for seed, atoms in enumerate(frames):
    ...     atoms.rattle(0.1, seed=seed)
    ...     true = LennardJones(epsilon=0.0104, sigma=3.4).get_forces(atoms)
    ...     atoms.calc = SinglePointCalculator(atoms, forces=true)
    >>> stages = [LennardJones(epsilon=0.0104, sigma=sigma) for sigma in (3.0, 3.3)]
    >>> errors = errors_from_checkpoints(stages, frames)
    >>> errors.shape
    (96, 2)
    >>> early, late = errors.mean(axis=0)
    >>> bool(late < early)
    True
    """
    structures = list(frames)
    labels = check_labels(structures)
    if not structures:
        raise ValueError("Expected at least one structure, got none.")
    columns: list[Floats] = []
    previous = None
    for number, calculator in enumerate(calculators):
        if calculator is previous:
            raise ValueError(
                f"Expected a calculator for each checkpoint, got calculator {number - 1} again."
            )
        columns.append(_errors(calculator, structures, labels, f"calculator {number}"))
        previous = calculator
    if not columns:
        raise ValueError("Expected at least one calculator, got none.")
    return np.stack(columns, axis=1)


def check_labels(frames: Iterable[Atoms]) -> list[Floats]:
    """Read the true forces of structures.

    Parameters
    ----------
    frames : iterable of ase.Atoms
        The structures.

    Returns
    -------
    list of ndarray of shape (n_atoms, 3)
        The forces, in eV/Å.

    Raises
    ------
    TypeError, ValueError
        If one is no structure, or has no labels or some that are not finite.
    """
    return [_label(atoms, number) for number, atoms in enumerate(frames)]


def _label(atoms: Atoms, number: int) -> Floats:
    """Read the true forces of a structure."""
    if not isinstance(atoms, Atoms):
        raise TypeError(f"Expected frame {number} to be an ase.Atoms, got {type(atoms).__name__}.")
    forces = None
    if atoms.calc is not None:
        forces = atoms.calc.get_property("forces", atoms, allow_calculation=False)
    if forces is None:
        raise ValueError(f"Expected forces as labels of every frame, got none of frame {number}.")
    return _checked(forces, len(atoms), f"as labels of frame {number}")


def check_gives_forces(calculator: BaseCalculator, name: str) -> None:
    """Refuse a calculator without forces.

    Parameters
    ----------
    calculator : ase calculator
        The calculator.
    name : str
        What errors call it.

    Raises
    ------
    ValueError
        If forces are not among what it gives.
    """
    if "forces" not in getattr(calculator, "implemented_properties", ()):
        raise ValueError(
            f"Expected calculators that give forces, got {name}, a {type(calculator).__name__}."
        )


def force_errors(calculator: BaseCalculator, atoms: Atoms, label: ArrayLike, whose: str) -> Floats:
    """Compute the errors of the forces on a structure's atoms.

    Parameters
    ----------
    calculator : ase calculator
        Computes forces, or has them from before.
    atoms : ase.Atoms
        The structure.
    label : array-like of shape (n_atoms, 3)
        The true forces, in eV/Å.
    whose : str
        Whence the forces are, for errors.

    Returns
    -------
    ndarray of shape (n_atoms,), float64
        Lengths of the differences, in eV/Å.

    Raises
    ------
    ValueError
        If there is not a finite force for each atom.
    """
    forces = calculator.get_property("forces", atoms.copy())
    difference = _checked(forces, len(atoms), whose) - np.asarray(label)
    return np.asarray(np.linalg.norm(difference, axis=1))


def _errors(
    calculator: BaseCalculator, frames: Sequence[Atoms], labels: Sequence[Floats], name: str
) -> Floats:
    """Compute the force errors of one checkpoint."""
    check_gives_forces(calculator, name)
    return np.concatenate(
        [
            force_errors(calculator, atoms, label, f"from {name} in frame {number}")
            for number, (atoms, label) in enumerate(zip(frames, labels, strict=True))
        ]
    )


def _checked(forces: ArrayLike, n_atoms: int, whose: str) -> Floats:
    """Refuse forces that are not finite, or not of all atoms."""
    rows = np.asarray(forces, np.float64)
    if rows.shape != (n_atoms, 3):
        raise ValueError(f"Expected forces of shape ({n_atoms}, 3) {whose}, got {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError(f"Expected finite forces {whose}, got NaN or infinity.")
    return rows
