"""The epochs of a log: a file each, there whole or not at all.

Each is written under another name, flushed to the disk and given its name, which is the
commit. A chunked store such as zarr keeps an epoch in several files, which appear one
by one; making them appear at once would take a protocol on top, and reading them a
dependency.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ltau._files.archive import LTAUFileError
from ltau._files.regular import open_regular
from ltau._files.temporary import clear_leftovers
from ltau._files.whole import TAKEN, create_whole, write_whole
from ltau.log._layout import Layout

__all__ = ["Epochs", "name_of"]

_EPOCH = re.compile(r"epoch-(\d{6,18})\.npy")

Floats = NDArray[np.float32]


class Epochs:
    """The files of a log's epochs.

    Parameters
    ----------
    folder : Path
        The folder of the log.
    layout : Layout
        What is in them.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self.layout = layout

    def count(self) -> int:
        """Count the epochs that there are now. Raises LTAUFileError if any are missing or stray."""
        names = [name for name in os.listdir(self.folder) if name.startswith("epoch-")]
        numbers = set()
        for name in names:
            match = _EPOCH.fullmatch(name)
            if match and name == name_of(int(match[1])):
                numbers.add(int(match[1]))
            elif name.endswith(".npy"):
                raise LTAUFileError(
                    f"Expected epochs with names as {name_of(0)} in {self.folder}, got {name}."
                )
        last = max(numbers, default=-1)
        for number in range(last):
            # What appears or is replaced while a folder is listed may be left out.
            if number not in numbers and not os.path.lexists(self._path(number)):
                raise LTAUFileError(
                    f"{self._path(number)} is missing from the log, which has {name_of(last)}."
                )
        return last + 1

    def create(self, number: int, errors: Floats) -> None:
        """Write the next epoch. Raises FileExistsError if another process has written it."""
        create_whole(self._path(number), self._write(number, errors))

    def replace(self, number: int, errors: Floats) -> None:
        """Write an epoch again."""
        write_whole(self._path(number), self._write(number, errors))

    def remove(self, numbers: range) -> None:
        """Remove epochs, the last first: a reader finds those before them whole."""
        for number in reversed(numbers):
            self._path(number).unlink()

    def read(self, number: int, blocks: Iterable[int]) -> Iterator[Floats]:
        """Read some blocks of an epoch. Raises LTAUFileError if it is not what was written."""
        path = self._path(number)
        try:
            with open_regular(path) as file:
                yield from self.layout.read_blocks(file, blocks, number)
        except FileNotFoundError as error:
            raise LTAUFileError(f"{path} is missing from the log.") from error
        except LTAUFileError:
            raise
        except ValueError as error:
            raise LTAUFileError(f"{path} is damaged: {error}.") from error

    def clear_leftovers(self) -> None:
        """Remove what killed writers left."""
        clear_leftovers(self.folder)
        for name in os.listdir(self.folder):
            if name.endswith(TAKEN):
                (self.folder / name).unlink(missing_ok=True)

    def _write(self, number: int, errors: Floats) -> Callable[[IO[bytes]], None]:
        return lambda file: file.writelines(self.layout.parts(errors, number))

    def _path(self, number: int) -> Path:
        return self.folder / name_of(number)


def name_of(number: int) -> str:
    """Name the file of an epoch."""
    return f"epoch-{number:06d}.npy"
