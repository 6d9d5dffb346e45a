"""The logs of a training of a force field, with the frames that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ase import Atoms

from ltau.adapters._forces.frames import FRAMES, fingerprint, load_frames
from ltau.adapters._recording.logs import open_log
from ltau.log import ErrorLog

__all__ = ["folder_of_logs", "frames_of_log", "listed", "open_log_of_frames"]

# What a training that goes on must share with the log: the note, and what errors call it.
_SAME = {"frames": "training frames", "mode": "mode", "head": "head"}


def open_log_of_frames(
    path: Path,
    n_samples: int,
    epoch: int,
    *,
    goes_on: bool,
    overwrite: bool,
    bits: Literal[16, 32] | None,
    notes: Mapping[str, Any],
    unit: str,
    target: str,
) -> ErrorLog:
    """Open the log of a training, as `open_log`, and refuse one of other frames or another mode."""
    log = open_log(
        path,
        n_samples,
        epoch,
        goes_on=goes_on,
        overwrite=overwrite,
        bits=bits,
        unit=unit,
        target=target,
        notes=dict(notes),
    )
    for note, meaning in _SAME.items():
        if log.notes.get(note) != notes.get(note):
            log.close()
            raise ValueError(
                f"Expected the {meaning} of the log at {path}, got another: "
                f"{notes.get(note)} instead of {log.notes.get(note)}."
            )
    return log


def folder_of_logs(run: Path, target: str) -> Path:
    """Find the one folder with structures and a log of the target, in a folder or below."""
    if not run.is_dir():
        raise FileNotFoundError(f"There is no folder {run}.")
    with_frames = [path.parent for path in sorted(run.rglob(FRAMES))]
    found = [folder for folder in with_frames if (folder / target).is_dir()]
    if not found:
        others = "; there are logs of something else in " + listed(with_frames)
        raise FileNotFoundError(
            f"There is no log of {target} with {FRAMES} in {run} or below, as a recorder of "
            f"ltau writes them{others if with_frames else ''}."
        )
    if len(found) > 1:
        raise ValueError(f"Expected one log of {target} in {run}, got several: {listed(found)}.")
    return found[0]


def frames_of_log(folder: Path, target: str, framework: str) -> tuple[ErrorLog, list[Atoms]]:
    """Read a log of a framework and its structures; refuse others, or in another order."""
    log, frames = ErrorLog(folder / target), load_frames(folder / FRAMES)
    n_rows = sum(map(len, frames)) if target == "forces" else len(frames)
    if n_rows != log.n_samples or fingerprint(frames) != log.notes.get("frames"):
        raise ValueError(
            f"Expected in {folder / FRAMES} the structures of the log {folder / target}, with "
            f"{log.n_samples} rows and fingerprint {log.notes.get('frames')}, got other ones or "
            f"another order: {n_rows} rows, fingerprint {fingerprint(frames)}."
        )
    if framework not in log.notes:
        raise ValueError(
            f"Expected a log of a training of {framework}, got {folder / target} with the notes "
            f"{sorted(log.notes)}."
        )
    return log, frames


def listed(paths: list[Path]) -> str:
    """Name some paths in a sentence."""
    return ", ".join(map(str, paths))
