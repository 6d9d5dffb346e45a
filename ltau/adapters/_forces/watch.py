"""What is written and decided at each step of a run, whatever engine makes the step."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io.formats import get_compression

from ltau.adapters._forces.run_files import RunTable, append_frame, cut_frames
from ltau.adapters._forces.thresholds import Thresholds

__all__ = ["RunWatch", "StrPath", "check_uncertain", "path_of_one"]

_logger = logging.getLogger(__name__)

StrPath = str | os.PathLike[str]


class RunWatch:
    """Log the uncertainty of a run step by step, and say when it is too large.

    Every engine calls this at each of its steps, and has no rule of its own.

    Parameters
    ----------
    path : str or path-like
        The table, a CSV file. An existing table is continued.
    columns : sequence of str
        What the engine tells of a step, before the uncertainty in the table.
    has_probability : bool
        Whether the results have ``forces_error_probability``.
    made : int
        Number of steps that the engine has made.
    max_error, max_probability, max_ood_score, patience, action, frames, start
        As in `UncertaintyMonitor`, with the engine in place of `dyn`.

    Attributes
    ----------
    reason : str or None
        Why the run was stopped, or the action called, the last time.
    saved : Path
        Where the structures are saved at which that happened.
    last_step : int
        Step of the last row of the table; -1 if there is none.
    start : int
        Step of the table at which the engine was in the beginning.
    last : dict of str to str
        The cells of the last row.

    Raises
    ------
    OSError
        If the table cannot be written.
    TypeError
        If `action` cannot be called.
    ValueError
        If a number is out of range, the table has other columns, or files hold other runs.
    """

    def __init__(
        self,
        path: StrPath,
        columns: Sequence[str],
        *,
        has_probability: bool,
        made: int = 0,
        max_error: float | None = None,
        max_probability: float | None = None,
        max_ood_score: float | None = None,
        patience: int = 1,
        action: Callable[[Atoms, str], object] | None = None,
        frames: StrPath | None = None,
        start: int | None = None,
    ) -> None:
        self.reason: str | None = None
        self.saved = Path(path).with_suffix(".uncertain.xyz")
        self._frames = None if frames is None else Path(frames)
        self._action = action
        if self._frames is not None and get_compression(self._frames.name)[1] is not None:
            raise ValueError(
                "Expected frames in a file that can be gone on with, got a compressed one, "
                f"{self._frames}."
            )
        limits = {
            "forces_uncertainty_max": max_error,
            "forces_error_probability_max": max_probability,
            "ood_score_max": max_ood_score,
        }
        self._thresholds = Thresholds(limits, patience)
        if max_probability is not None and not has_probability:
            raise ValueError("max_probability needs a calculator with a tolerance.")
        if action is not None and not callable(action):
            raise TypeError(f"Expected action to be a callable or None, got {action!r}.")
        if start is not None and (not isinstance(start, int | np.integer) or start < 0):
            raise ValueError(f"Expected start to be a step >= 0, got {start!r}.")
        now = start if start is not None else made or None
        names = ["step", *columns, "forces_uncertainty_max", "forces_uncertainty_mean"]
        names += ["ood_score_max", "forces_error_probability_max"][: 1 + has_probability]
        self._table = RunTable(Path(path), names, now)
        self.last_step = int(self.last["step"]) if self.last else -1
        self.start = max(self.last_step, 0) if now is None else now
        self._offset = self.start - made
        self._never_within = self.last_step < 0
        self._cut()

    @property
    def last(self) -> dict[str, str]:
        """The cells of the last row; empty if there is none."""
        return self._table.last

    def step(self, made: int) -> int:
        """Give the step of the table that follows from the engine's number of steps."""
        return self._offset + made

    def __call__(
        self,
        made: int,
        numbers: Mapping[str, float],
        results: Mapping[str, Any],
        structure: Callable[[], Atoms],
    ) -> str | None:
        """Log the step that the engine has made, and say whether it has to stop.

        Parameters
        ----------
        made : int
            Number of steps that the engine has made. A step that the table has already is
            passed over: a run goes on where the one before has ended.
        numbers : mapping of str to float
            What the engine tells of the step, by the names of `columns`.
        results : mapping
            What a calculator found, without uncertainty where none was due.
        structure : callable
            Gives the structure, with a calculator that holds the results; called if it is
            written to a file.

        Returns
        -------
        str or None
            Why the run has to stop, if it has to.
        """
        step = self.step(made)
        if step <= self.last_step:
            return None
        row = {"step": step, **numbers, **_uncertainty_of(results)}
        self._table.append(row)
        self.last_step = step  # of a row that is there: after an error, a step may be tried again
        if self._frames is not None:
            append_frame(self._frames, structure(), step=step)
        passed = self._thresholds.passed(row)
        if passed is not None:
            return self._act(step, f"step {step}: {passed}", structure())
        known = any(row[name] is not None for name in self._thresholds.limits)
        self._never_within &= self._thresholds.counting or not known
        return None

    def _cut(self) -> None:
        """Drop frames of steps that the table does not have, and refuse those of other runs."""
        for file in filter(None, (self.saved, self._frames)):
            if not self.last and file.exists() and file.stat().st_size:
                raise ValueError(
                    f"{file} holds frames of another run: the table has no rows. Move it away."
                )
            cut_frames(file, self.last_step)

    def _act(self, step: int, reason: str, atoms: Atoms) -> str | None:
        """Save the structure, and call the action or say why to stop."""
        self.reason = reason
        append_frame(self.saved, atoms, step=step, reason=reason)
        if self._action is not None:
            self._action(atoms, reason)
            return None
        _logger.warning("Stopped at %s. The structure is in %s.", reason, self.saved)
        if self._never_within:
            _logger.warning(
                "No step was within the limit: a limit has to be above what structures show "
                "that were held out of the training, and are of the same kind."
            )
        return reason


def check_uncertain(calculator: Any) -> bool:
    """Refuse a calculator that tells no uncertainty of its forces.

    Returns
    -------
    bool
        Whether it tells the probability of errors above a tolerance, too.
    """
    properties = set(getattr(calculator, "implemented_properties", ()))
    needed = {"forces_uncertainty_max", "forces_uncertainty_mean", "ood_score"}
    if not needed <= properties:
        raise ValueError(
            f"Expected atoms with a calculator that gives {', '.join(sorted(needed))}, such "
            f"as UncertainCalculator, got {type(calculator).__name__}."
        )
    return "forces_error_probability" in properties


def path_of_one(path: StrPath, number: int, n_runs: int) -> Path:
    """Name the file of one of several runs: ``run.csv`` of a single one, ``run.0.csv`` of many."""
    whole = Path(path)
    return whole if n_runs == 1 else whole.with_suffix(f".{number}{whole.suffix}")


def _uncertainty_of(results: Mapping[str, Any]) -> dict[str, float | None]:
    """Find the numbers of the table in the results, None where there are none."""
    row: dict[str, float | None] = {}
    for name in ("forces_uncertainty_max", "forces_uncertainty_mean"):
        row[name] = results.get(name)
    for name in ("ood_score", "forces_error_probability"):
        row[f"{name}_max"] = float(results[name].max()) if name in results else None
    return row
