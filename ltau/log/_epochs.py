"""The epochs of a log: a ``.npy`` file each, there whole or not at all.

Each is written under another name, flushed to the disk and renamed. The rename is the
commit. A chunked store such as zarr keeps an epoch in several files, which appear one
by one; making them appear at once would take a protocol on top, and reading them a
dependency.
"""

from __future__ import annotations

import os
import re
import tokenize
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ltau._files.archive import LTAUFileError
from ltau._files.whole import write_whole

__all__ = ["clear_leftovers", "count_epochs", "read_epoch", "write_epoch"]

_EPOCH = re.compile(r"epoch-(\d{6,})\.npy")
_DTYPE = np.dtype("<f4")  # on disk, on any machine

# What numpy, and ast.literal_eval under it, raise on a file that is not an array.
_DAMAGE = (
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)

Floats = NDArray[np.float32]


def count_epochs(folder: Path) -> int:
    """Count the epochs up to the last that there is now."""
    epochs = (_EPOCH.fullmatch(name) for name in os.listdir(folder))
    return 1 + max((int(epoch[1]) for epoch in epochs if epoch), default=-1)


def write_epoch(folder: Path, epoch: int, errors: Floats) -> None:
    """Write the errors of one epoch, or replace them."""
    values = errors.astype(_DTYPE, copy=False)
    write_whole(_path(folder, epoch), lambda file: np.save(file, values, allow_pickle=False))


def read_epoch(folder: Path, epoch: int, n_samples: int) -> Floats:
    """Map one epoch's file into memory, once it is known to be what it should."""
    path = _path(folder, epoch)
    try:
        errors = npy.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise LTAUFileError(f"{path} is missing from the log.") from error
    except _DAMAGE as error:
        raise LTAUFileError(f"{path} is damaged: {error}") from error
    if errors.shape != (n_samples,) or errors.dtype != _DTYPE:
        raise LTAUFileError(
            f"{path} is damaged: expected shape ({n_samples},), {_DTYPE}, "
            f"got {errors.shape}, {errors.dtype}."
        )
    return errors


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed writer left of an epoch."""
    for leftover in folder.glob("epoch-*.tmp"):
        leftover.unlink()


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:06d}.npy"
