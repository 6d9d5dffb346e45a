"""What the page shows, as data that its scripts read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau.plotting._structures.columns import COLUMNS
from ltau.plotting._structures.thinning import frames_to_draw
from ltau.plotting._structures.timeline import steps_of

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Contents"]

Floats = NDArray[np.float64]

_INFINITE = 1e300  # what JSON has no number for


class Contents(NamedTuple):
    """Frames with the numbers of their atoms, and which of them are drawn."""

    frames: Sequence[Atoms]
    columns: dict[str, list[Floats]]
    drawn: NDArray[np.intp]
    n_uncertain: int  # how many are drawn because they are the most uncertain ones
    steps: list[int] | None

    @classmethod
    def of(
        cls, frames: Sequence[Atoms], columns: dict[str, list[Floats]], n_atoms: int
    ) -> Contents:
        """Choose what is drawn."""
        largest = np.array([_largest(values) for values in columns["forces_uncertainty"]])
        sizes = np.array([len(atoms) for atoms in frames])
        drawn, n_uncertain = frames_to_draw(largest, sizes, n_atoms)
        return cls(frames, columns, drawn, n_uncertain, steps_of(frames))

    @property
    def n_atoms(self) -> int:
        """Number of atoms of all frames."""
        return sum(map(len, self.frames))

    def known(self, name: str) -> Floats:
        """Give the numbers of all atoms, without those that are not known."""
        values = np.concatenate(self.columns[name])
        return values[~np.isnan(values)]

    def name(self, number: int) -> str:
        """Name a frame by its number, and its step if it has one."""
        step = "" if self.steps is None else f", step {self.steps[number]}"
        return f"frame {number}{step}"

    def most_uncertain(self, n_frames: int) -> list[tuple[int, int]]:
        """Find frames and atoms: of each frame the most uncertain one, the most uncertain first."""
        errors = self.columns["forces_uncertainty"]
        largest = np.array([_largest(errors[number]) for number in self.drawn])
        falling = np.argsort(-np.nan_to_num(largest, nan=-1), kind="stable")
        rows = [row for row in falling[:n_frames] if not np.isnan(largest[row])]
        return [(row, int(np.nanargmax(errors[self.drawn[row]]))) for row in rows]

    def as_json(self, timeline: dict[str, Any]) -> str:
        """Write what is drawn as JSON that may stand in an element of HTML."""
        columns = {name: COLUMNS[name] for name in self.columns}
        by_step = timeline["label"] == "Step"
        data = {
            "columns": {
                name: {"label": each.label, "unit": each.unit} for name, each in columns.items()
            },
            "elements": self._elements(),
            "frames": [self._frame(number, by_step) for number in self.drawn.tolist()],
            "timeline": {
                **timeline,
                "panels": [
                    {**panel, "lines": [_rounded_line(line) for line in panel["lines"]]}
                    for panel in timeline["panels"]
                ],
            },
        }
        return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")

    def _frame(self, number: int, by_step: bool) -> dict[str, Any]:
        atoms = self.frames[number]
        step = None if self.steps is None else self.steps[number]
        reason = atoms.info.get("reason")
        periodic = atoms.pbc.any() and atoms.cell.rank == 3
        return {
            "name": self.name(number),
            "at": step if by_step else number,
            "reason": reason if isinstance(reason, str) else None,
            "numbers": atoms.numbers.tolist(),
            "positions": np.round(atoms.positions, 3).ravel().tolist(),
            "cell": np.round(atoms.cell.array, 3).tolist() if periodic else None,
            "values": {name: _rounded(of[number]) for name, of in self.columns.items()},
        }

    def _elements(self) -> dict[int, dict[str, Any]]:
        from ase.data import chemical_symbols, covalent_radii

        drawn = [self.frames[number].numbers for number in self.drawn]
        return {
            number: {"symbol": chemical_symbols[number], "radius": float(covalent_radii[number])}
            for number in np.unique(np.concatenate(drawn)).tolist()
        }


def _largest(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else np.nan


def _rounded_line(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "at": line["at"].tolist(), "values": _rounded(line["values"])}


def _rounded(values: Floats) -> list[float | None]:
    """Keep five digits; None where nothing is known."""
    return [
        None if np.isnan(value) else _INFINITE if np.isinf(value) else float(f"{value:.5g}")
        for value in values.tolist()
    ]
