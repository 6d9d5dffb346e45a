"""A run over its steps: from the table that a monitor has written, or from frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ltau._inputs.csv_files import read_csv
from ltau.plotting._structures.thinning import envelope

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["steps_of", "timeline_of_frames", "timeline_of_table"]

Floats = NDArray[np.float64]

_STRETCHES = 1000  # of a line: more than there are columns of pixels

# Columns of a table, one tuple for each panel, and what the axis says.
_PANELS = (
    (("forces_uncertainty_max", "forces_uncertainty_mean"), "Expected error (eV/Å)"),
    (("ood_score_max",), "ood_score"),
    (("forces_error_probability_max",), "P(error > tolerance)"),
    (("temperature",), "Temperature (K)"),
)
_NAMES = {
    "forces_uncertainty_max": "largest of an atom",
    "forces_uncertainty_mean": "mean over atoms",
    "ood_score_max": "largest of an atom",
    "forces_error_probability_max": "largest of an atom",
    "temperature": "",
}


def steps_of(frames: Sequence[Atoms]) -> list[int] | None:
    """Give the step of each frame, where all have one that is larger than the one before.

    Monitors write it as ``step``, LAMMPS as ``timestep``.
    """
    steps = [atoms.info.get("step", atoms.info.get("timestep")) for atoms in frames]
    if not all(isinstance(step, int | np.integer) for step in steps):
        return None
    numbers = [int(step) for step in steps if step is not None]
    return numbers if np.all(np.diff(numbers) > 0) else None


def timeline_of_table(path: Path) -> dict[str, Any]:
    """Read the table of a run, as monitors write it, and lay out its time line.

    Raises
    ------
    ValueError
        If it is no such table.
    OSError
        If it cannot be read.
    """
    table = read_csv(path)
    names = [name for columns, _ in _PANELS for name in columns if name in table.names]
    needed = {"step", "forces_uncertainty_max", "ood_score_max"}
    if not needed <= set(table.names):
        raise ValueError(
            f"Expected {path} to be the table of a monitor, with columns "
            f"{', '.join(sorted(needed))}, got {', '.join(table.names)}."
        )
    columns = {name: table.numbers(name, empty=np.nan) for name in names}
    return _timeline("Step", table.numbers("step"), columns)


def timeline_of_frames(columns: dict[str, list[Floats]], steps: list[int] | None) -> dict[str, Any]:
    """Lay out the time line of frames, over their steps or their numbers."""
    errors = columns["forces_uncertainty"]
    of_frames = {
        "forces_uncertainty_max": _over_atoms(np.max, errors),
        "forces_uncertainty_mean": _over_atoms(np.mean, errors),
        "ood_score_max": _over_atoms(np.max, columns["ood_score"]),
    }
    if "forces_error_probability" in columns:
        probability = _over_atoms(np.max, columns["forces_error_probability"])
        of_frames["forces_error_probability_max"] = probability
    at = np.arange(len(errors)) if steps is None else np.array(steps)
    return _timeline("Frame" if steps is None else "Step", at.astype(np.float64), of_frames)


def _over_atoms(summary: Any, of_frames: Sequence[Floats]) -> Floats:
    """Summarize each frame: NaN where an atom is unknown, as in the tables of monitors."""
    return np.array([summary(values) if len(values) else np.nan for values in of_frames])


def _timeline(label: str, at: Floats, columns: dict[str, Floats]) -> dict[str, Any]:
    panels = []
    for names, axis in _PANELS:
        lines = [_line(_NAMES[name], at, columns[name]) for name in names if name in columns]
        if lines:
            panels.append({"label": axis, "lines": lines})
    return {"label": label, "first": at.min(), "last": at.max(), "panels": panels}


def _line(name: str, at: Floats, values: Floats) -> dict[str, Any]:
    """Thin a line out. What is not known is no part of it."""
    known = ~np.isnan(values)
    rows = np.flatnonzero(known)[envelope(values[known], _STRETCHES)]
    return {"name": name, "at": at[rows], "values": values[rows]}
