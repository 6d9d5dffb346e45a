"""What a training of NequIP left in its folder: structures, errors, and a checkpoint."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray

from ltau.adapters._forces.logs import folder_of_logs, frames_of_log, listed
from ltau.adapters.nequip._models import NequIPModel, load_model
from ltau.log import ErrorLog

__all__ = ["Training", "read_training"]


class Training(NamedTuple):
    """What a training left.

    Parameters
    ----------
    folder : Path
        Where the callback has written.
    log : ErrorLog
        The errors of all epochs.
    frames : list of ase.Atoms
        The structures that it is of.
    model : NequIPModel
        The model of the checkpoint.
    epoch : int
        At the end of which the checkpoint was saved.
    errors : ErrorLog or ndarray of shape (n_samples, epoch + 1)
        The errors up to it.
    """

    folder: Path
    log: ErrorLog
    frames: list[Atoms]
    model: NequIPModel
    epoch: int
    errors: ErrorLog | NDArray[np.float32]


def read_training(
    run: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str] | None,
    target: str,
    device: str | torch.device,
) -> Training:
    """Read what a training left; the arguments, and what is refused, are those of `fit_run`."""
    folder = folder_of_logs(Path(run), target)
    path = _last_checkpoint(Path(run)) if checkpoint is None else Path(checkpoint)
    log, frames = frames_of_log(folder, target, "nequip")
    if checkpoint is None and path.parent != Path(run):
        _name(path)
    model = load_model(path, device=device)
    epoch = _epoch_of(path)
    return Training(folder, log, frames, model, epoch, _up_to(log, epoch, path))


def _last_checkpoint(run: Path) -> Path:
    found = sorted(run.rglob("last*.ckpt"))
    if not found:
        raise FileNotFoundError(
            f"There is no last.ckpt in {run} or below: give checkpoint (--checkpoint), and in the "
            "next training a ModelCheckpoint with save_last."
        )
    if len(found) > 1:
        raise ValueError(
            f"Expected one checkpoint in {run}, got several: {listed(found)}. Give one of them "
            "as checkpoint (--checkpoint)."
        )
    return found[0]


def _name(checkpoint: Path) -> None:
    """Name a checkpoint that nobody has named, before its code runs."""
    warnings.warn(
        f"{checkpoint} was found, and is loaded, which runs code that it holds. Give it as "
        "checkpoint (--checkpoint) if it is the right one.",
        stacklevel=4,
    )


def _epoch_of(checkpoint: Path) -> int:
    """Read the epoch at the end of which a checkpoint, known to be one, was saved."""
    contents = torch.load(checkpoint, map_location="cpu", weights_only=False, mmap=True)
    return int(contents["epoch"])


def _up_to(log: ErrorLog, epoch: int, checkpoint: Path) -> ErrorLog | NDArray[np.float32]:
    """Take the epochs that led to a checkpoint."""
    n_epochs = epoch + 1
    if log.n_epochs < n_epochs:
        raise ValueError(
            f"Expected a log with the epochs up to {epoch}, that of {checkpoint}, got {log!r}."
        )
    if log.n_epochs == n_epochs:
        return log
    warnings.warn(
        f"{checkpoint} is of epoch {epoch}, and the log goes on to {log.n_epochs - 1}: only the "
        f"errors of epochs 0 to {epoch} are used. A ModelCheckpoint that monitors nothing saves "
        "the last epoch.",
        stacklevel=4,
    )
    return log[:, :n_epochs]
