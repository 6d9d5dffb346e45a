"""What frames say of their atoms, by the names of the calculators' results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["COLUMNS", "NEEDED", "Column", "as_frames", "columns_of", "with_truth"]

Floats = NDArray[np.float64]


class Column(NamedTuple):
    """A number of each atom."""

    label: str
    unit: str
    dumped: str  # its name in dumps of LAMMPS


COLUMNS = {
    "forces_uncertainty": Column("Expected error", "eV/Å", "d_ltau_unc"),
    "ood_score": Column("ood_score", "", "d_ltau_ood"),
    "forces_uncertainty_upper": Column("Error bar", "eV/Å", "d_ltau_upper"),
    "forces_error_probability": Column("P(error > tolerance)", "", ""),
    "forces_error": Column("True error", "eV/Å", ""),
}
NEEDED = ("forces_uncertainty", "ood_score")

_NEARBY = 1e-3  # Å, by which files may round positions


def as_frames(frames: Any) -> list[Atoms]:
    """List structures; refuse what is none, and positions or cells that are not finite."""
    from ase import Atoms

    found = [frames] if isinstance(frames, Atoms) else list(frames)
    if not found:
        raise ValueError("Expected structures, got none.")
    for number, atoms in enumerate(found):
        if not isinstance(atoms, Atoms):
            raise TypeError(f"Expected ase.Atoms, got {type(atoms).__name__} for frame {number}.")
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise ValueError(
                f"Expected finite positions and cell, got NaN or infinity in frame {number}."
            )
    if not any(map(len, found)):
        raise ValueError("Expected structures with atoms, got empty ones.")
    return found


def columns_of(frames: Sequence[Atoms]) -> dict[str, list[Floats]]:
    """Collect the numbers of the atoms, frame by frame.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        The structures. Columns are looked for in ``arrays``, then in ``info``.

    Returns
    -------
    dict of str to list of ndarray of shape (n_atoms,)
        By the names in `COLUMNS`, those that some frame has; NaN where a frame lacks one.

    Raises
    ------
    ValueError
        If no frame has a column that is needed, or values are not as described.
    """
    found = {}
    for name in COLUMNS:
        of_frames = [_column(atoms, name, number) for number, atoms in enumerate(frames)]
        if any(values is not None for values in of_frames):
            found[name] = [
                np.full(len(atoms), np.nan) if values is None else values
                for atoms, values in zip(frames, of_frames, strict=True)
            ]
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise ValueError(
            f"Expected frames with columns {' and '.join(NEEDED)}, got none with "
            f"{' or '.join(missing)}. `ltau nequip predict`, `ltau mace predict` and `ltau frames "
            "predict` write them, and so do structures that a calculator of ltau has computed."
        )
    return found


def with_truth(frames: Sequence[Atoms], truth: Iterable[Atoms]) -> list[Floats]:
    """Compare the forces of frames with those of the same structures, labelled.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Structures with the forces that a model predicts.
    truth : iterable of ase.Atoms
        The same structures in the same order, with true forces.

    Returns
    -------
    list of ndarray of shape (n_atoms,)
        Lengths of the differences, in eV/Å, frame by frame.

    Raises
    ------
    ValueError
        If the structures are not the same, or forces are missing.
    """
    labelled = as_frames(truth)
    if len(labelled) != len(frames):
        raise ValueError(f"Expected {len(frames)} labelled structures, got {len(labelled)}.")
    errors = []
    for number, (atoms, true) in enumerate(zip(frames, labelled, strict=True)):
        same = np.array_equal(atoms.numbers, true.numbers)
        if not (same and np.allclose(atoms.positions, true.positions, rtol=0, atol=_NEARBY)):
            raise ValueError(
                f"Expected the same structures, labelled: frame {number} has other elements, or "
                f"positions that differ by more than {_NEARBY:g} Å."
            )
        difference = _forces(atoms, number, "predicted") - _forces(true, number, "true")
        errors.append(np.linalg.norm(difference, axis=1))
    return errors


def _column(atoms: Atoms, name: str, number: int) -> Floats | None:
    for known in filter(None, (name, COLUMNS[name].dumped)):
        values = atoms.arrays.get(known, atoms.info.get(known))
        if values is not None:
            return _checked(values, len(atoms), f"{known} of frame {number}")
    return None


def _checked(values: Any, n_atoms: int, what: str) -> Floats:
    try:
        numbers = np.atleast_1d(np.array(values, dtype=np.float64))  # files have one as a scalar
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected numbers in {what}, got {error}.") from error
    if numbers.shape != (n_atoms,):
        raise ValueError(f"Expected {n_atoms} numbers in {what}, got shape {numbers.shape}.")
    if (numbers < 0).any():
        raise ValueError(f"Expected {what} not to be negative, got {np.nanmin(numbers):g}.")
    return numbers


def _forces(atoms: Atoms, number: int, which: str) -> Floats:
    results = {} if atoms.calc is None else atoms.calc.results
    if "forces" not in results:
        raise ValueError(f"Expected {which} forces in all frames, got frame {number} without.")
    return np.asarray(results["forces"], dtype=np.float64)
