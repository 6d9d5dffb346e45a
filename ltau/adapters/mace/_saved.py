"""Which epochs a training has saved models of, and how each is known again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from ltau._files.whole import write_text_whole
from ltau.adapters.mace._latents import own_latents
from ltau.adapters.mace._models import MACEModel

__all__ = ["SavedModel", "SavedModels", "epoch_of", "smallest_with_neighbors"]

SAVED = "models.json"  # in the folder of the logs

_N_ATOMS = 4  # whose latents are kept; each epoch may save a model

# Relative differences of latents: another backend or dtype makes some 1e-5, rounding 1e-7.
_SAME_MODEL, _ALIKE = 1e-3, 1e-6


class SavedModel(NamedTuple):
    """A model that a training has saved.

    Parameters
    ----------
    epoch : int
        At the end of which.
    first : int
        The first epoch of its stage, whose loss it was trained with.
    latents : list of list of float
        Its latents of the first atoms of one training structure, by which it is known again.
    """

    epoch: int
    first: int
    latents: list[list[float]]


class SavedModels:
    """The models that a training has saved, in a file beside its logs.

    Parameters
    ----------
    folder : Path
        Of the logs.
    frame : int, default=0
        The training structure of which there are latents.
    models : sequence of SavedModel
        Those of before.
    """

    def __init__(self, folder: Path, frame: int = 0, models: Sequence[SavedModel] = ()) -> None:
        self._path = folder / SAVED
        self.frame = frame
        self.models = list(models)

    @classmethod
    def read(cls, folder: Path) -> SavedModels:
        """Read the file in a folder; of none where there is none."""
        path = folder / SAVED
        if not path.is_file():
            return cls(folder)
        try:
            kept: Any = json.loads(path.read_text("utf-8"))
            models = [SavedModel(**model) for model in kept["models"]]
            return cls(folder, int(kept["frame"]), models)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error!r}") from error

    def add(self, epoch: int, first: int, latents: NDArray[np.float32]) -> None:
        """Enter a model, in place of one of the same epoch, and write the file."""
        others = [kept for kept in self.models if kept.epoch != epoch]
        self._write([*others, SavedModel(epoch, first, latents[:_N_ATOMS].tolist())])

    def start(self, frame: int, epoch: int) -> None:
        """Begin with a structure and an epoch; what was saved from it on is trained again."""
        self.frame = frame
        self._write([kept for kept in self.models if kept.epoch < epoch])

    def _write(self, models: list[SavedModel]) -> None:
        self.models = models
        kept = {"frame": self.frame, "models": [model._asdict() for model in models]}
        write_text_whole(self._path, lambda file: json.dump(kept, file))


def smallest_with_neighbors(frames: Sequence[Atoms], known: NDArray[np.bool_]) -> int:
    """Choose the structure by which models are known again: of the latents, not all are NaN."""
    sizes = np.array([len(frame) for frame in frames])
    return int(np.where(known, sizes, sizes.max() + 1).argmin())


def epoch_of(
    model: MACEModel, path: Path, saved: SavedModels, frames: Sequence[Atoms]
) -> SavedModel:
    """Find which of the models that a training has saved a model is.

    Parameters
    ----------
    model : MACEModel
        The model.
    path : Path
        Where it was loaded from.
    saved : SavedModels
        Those that the training has saved.
    frames : sequence of ase.Atoms
        The training structures.

    Returns
    -------
    SavedModel
        The nearest by its latents; of several alike, as where only what reads them out is
        trained, the last, which MACE keeps.

    Raises
    ------
    ValueError
        If there is none.
    """
    own = own_latents(model, [frames[saved.frame]])[:_N_ATOMS].astype(float)
    differences = [
        np.abs(own - latents).max() / np.abs(latents).max()
        if (latents := np.array(each.latents)).shape == own.shape
        else np.inf
        for each in saved.models
    ]
    nearest = min(differences, default=np.inf)
    if not nearest <= _SAME_MODEL:
        epochs = ", ".join(str(each.epoch) for each in saved.models) or "none"
        raise ValueError(
            f"Expected a model that the recorded training has saved, of epochs {epochs}, got "
            f"{path}: it is of another training, or older than the log."
        )
    alike = np.flatnonzero(np.array(differences) <= nearest + _ALIKE)
    return max((saved.models[number] for number in alike), key=lambda each: each.epoch)
