"""What a training of MACE left in its folder: structures, errors, and a model."""

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
from ltau.adapters.mace._models import MACEModel, load_model
from ltau.adapters.mace._saved import SavedModel, SavedModels, epoch_of
from ltau.log import ErrorLog

__all__ = ["Training", "read_training"]


class Training(NamedTuple):
    """What a training left.

    Parameters
    ----------
    folder : Path
        Where the recorder has written.
    log : ErrorLog
        The errors of all epochs.
    frames : list of ase.Atoms
        The structures that it is of.
    model : MACEModel
        The model.
    head : str
        The head that was recorded.
    epoch : int
        At the end of which the model was saved.
    errors : ndarray of shape (n_atoms, n_epochs)
        The errors up to it, from the first epoch of its stage on.
    """

    folder: Path
    log: ErrorLog
    frames: list[Atoms]
    model: MACEModel
    head: str
    epoch: int
    errors: NDArray[np.float32]


def read_training(
    run: str | os.PathLike[str],
    model: str | os.PathLike[str] | None,
    device: str | torch.device,
) -> Training:
    """Read what a training left; the arguments, and what is refused, are those of `fit_run`."""
    folder = folder_of_logs(Path(run), "forces")
    log, frames = frames_of_log(folder, "forces", "mace")
    saved = SavedModels.read(folder)
    path = _last_model(Path(run), str(log.notes["tag"])) if model is None else Path(model)
    loaded = load_model(path, device=device)
    head = loaded.head(str(log.notes["head"]))
    found = epoch_of(loaded, path, saved, frames)
    return Training(folder, log, frames, loaded, head, found.epoch, _errors(log, found, path))


def _last_model(run: Path, tag: str) -> Path:
    """Find the model of a training, that of stage two where there is one."""
    everywhere = sorted(run.rglob("*.model"))
    for name in (f"{tag}_stagetwo.model", f"{tag}.model"):
        found = [path for path in everywhere if path.name == name]
        if len(found) > 1:
            raise ValueError(
                f"Expected one {name} in {run}, got several: {listed(found)}. Give one of them as "
                "model (--model)."
            )
        if found:
            if found[0].parent not in (run, run / "checkpoints"):
                warnings.warn(
                    f"{found[0]} was found, and is loaded, which runs code that it holds. Give it "
                    "as model (--model) if it is the right one.",
                    stacklevel=4,
                )
            return found[0]
    raise FileNotFoundError(f"There is no {tag}.model in {run} or below: give model (--model).")


def _errors(log: ErrorLog, saved: SavedModel, path: Path) -> NDArray[np.float32]:
    """Take the epochs that led to a model, in its own stage."""
    if log.n_epochs <= saved.epoch:
        raise ValueError(
            f"Expected a log with the epochs up to {saved.epoch}, that of {path}, got {log!r}."
        )
    return log[:, saved.first : saved.epoch + 1]
