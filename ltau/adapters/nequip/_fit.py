"""From the folder of a finished training to a fitted estimator."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray
from sklearn.base import clone

from ltau.adapters.nequip._frames import FRAMES, fingerprint, load_frames
from ltau.adapters.nequip._latents import latents
from ltau.adapters.nequip._models import load_model
from ltau.adapters.nequip._probe import make_probe
from ltau.estimator import LTAUEstimator
from ltau.log import ErrorLog

__all__ = ["fit_run"]

Latents = NDArray[np.float32]


def fit_run(
    run: str | os.PathLike[str],
    *,
    estimator: LTAUEstimator | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    target: str = "forces",
    strata: str | None = "elements",
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> LTAUEstimator:
    """Fit an estimator to what a training of NequIP left in its folder.

    The latents are those of the recorded training structures, by the model of the
    checkpoint; the errors are those of the epochs up to it. Nothing of the training's
    configuration or data is needed.

    Parameters
    ----------
    run : str or path-like
        A folder in which, or somewhere below, there is one folder that an
        `ErrorRecorderCallback` wrote.
    estimator : LTAUEstimator, optional
        A copy of it, with its parameters, is fitted; by default ``LTAUEstimator()``.
    checkpoint : str or path-like, optional
        Checkpoint of the training; by default the one named ``last.ckpt``, or with a
        version as in ``last-v1.ckpt``, in `run` or below. Loading one runs code that it
        holds: give only files that you trust.
    target : {"forces", "energy"}, default="forces"
        Whether the estimator is to predict errors of the force on an atom, in eV/Å, or
        of a structure's energy per atom, in eV. The latents of a structure are the mean
        of those of its atoms.
    strata : {"elements", None}, default="elements"
        Whether the atomic numbers are strata: neighbours are then atoms of the same
        element, and every prediction needs the atomic numbers. A structure as a whole has
        no stratum.
    device : str or torch.device, default="cpu"
        Where to compute the latents.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    LTAUEstimator
        The fitted estimator. Its `notes_` hold those of the log, the ``epoch`` of the
        checkpoint, and under ``probe`` the smallest training structure with its latents,
        by which a calculator knows whether it was given the same model.

    Raises
    ------
    FileNotFoundError
        If there is no log of the target, or no checkpoint.
    LTAUFileError
        If the log is damaged.
    ValueError
        If there are several logs or checkpoints to choose from; structures and log do not
        belong together; the log ends before the checkpoint's epoch; the checkpoint
        cannot be loaded; an argument is not as described; or the estimator cannot be
        fitted, as for an element with fewer atoms than neighbours are asked for.

    Warns
    -----
    UserWarning
        If the log goes on after the checkpoint's epoch: those epochs are left out.

    Examples
    --------
    >>> from ltau.adapters.nequip import fit_run
    >>> estimator = fit_run("outputs/2025-01-01/12-00-00")  # doctest: +SKIP
    >>> estimator.save("forces.ltau")  # doctest: +SKIP
    """
    if target not in ("forces", "energy"):
        raise ValueError(f"Expected target 'forces' or 'energy', got {target!r}.")
    if strata not in ("elements", None):
        raise ValueError(f"Expected strata 'elements' or None, got {strata!r}.")
    if not isinstance(estimator, LTAUEstimator | None):
        raise TypeError(f"Expected an LTAUEstimator, got {type(estimator).__name__}.")
    folder = _folder_of_logs(Path(run), target)
    path = _last_checkpoint(Path(run)) if checkpoint is None else Path(checkpoint)
    log, frames = ErrorLog(folder / target), load_frames(folder / FRAMES)
    _check_frames(log, frames, folder, target)
    model = load_model(path, device=device)
    epoch = _epoch_of(path)
    errors = _up_to(log, epoch, path)
    atoms = latents(model, frames, progress=progress)
    rows = atoms if target == "forces" else _means(atoms, frames)
    classes = np.concatenate([frame.numbers for frame in frames]) if target == "forces" else None
    fitted = LTAUEstimator() if estimator is None else clone(estimator)
    fitted.fit(rows, errors, strata=None if strata is None else classes)
    fitted.target_, fitted.unit_ = log.target, log.unit
    fitted.notes_ = {**log.notes, "epoch": epoch, "probe": make_probe(frames, atoms)}
    return fitted


def _folder_of_logs(run: Path, target: str) -> Path:
    """Find the one folder with structures and a log of the target."""
    if not run.is_dir():
        raise FileNotFoundError(f"There is no folder {run}.")
    with_frames = [path.parent for path in sorted(run.rglob(FRAMES))]
    found = [folder for folder in with_frames if (folder / target).is_dir()]
    if not found:
        others = "; there are logs of something else in " + _listed(with_frames)
        raise FileNotFoundError(
            f"There is no log of {target} with {FRAMES} in {run} or below, as an "
            f"ErrorRecorderCallback writes them{others if with_frames else ''}."
        )
    if len(found) > 1:
        raise ValueError(f"Expected one log of {target} in {run}, got several: {_listed(found)}.")
    return found[0]


def _last_checkpoint(run: Path) -> Path:
    found = sorted(run.rglob("last*.ckpt"))
    if not found:
        raise FileNotFoundError(
            f"There is no last.ckpt in {run} or below: give the checkpoint, and in the next "
            "training a ModelCheckpoint with save_last."
        )
    if len(found) > 1:
        raise ValueError(f"Expected one checkpoint in {run}, got several: {_listed(found)}.")
    return found[0]


def _check_frames(log: ErrorLog, frames: list[Atoms], folder: Path, target: str) -> None:
    """Check that the structures are those of the log, in their order."""
    n_rows = sum(map(len, frames)) if target == "forces" else len(frames)
    if n_rows != log.n_samples or fingerprint(frames) != log.notes.get("frames"):
        raise ValueError(
            f"Expected in {folder / FRAMES} the structures of the log {folder / target}, with "
            f"{log.n_samples} rows and fingerprint {log.notes.get('frames')}, got other ones or "
            f"another order: {n_rows} rows, fingerprint {fingerprint(frames)}."
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
        stacklevel=3,
    )
    return log[:, :n_epochs]


def _means(atoms: Latents, frames: list[Atoms]) -> Latents:
    """Average the latents of each structure's atoms."""
    ends = np.cumsum([len(frame) for frame in frames])
    return np.stack([part.mean(axis=0) for part in np.split(atoms, ends[:-1])])


def _listed(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))
