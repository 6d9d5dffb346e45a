"""The writer of a log: which epoch comes next, and those that wait for the disk."""

from __future__ import annotations

import operator
import warnings
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ltau._files.whole import about
from ltau.log._epochs import Epochs, name_of
from ltau.log._lock import WriterLock

__all__ = ["Writer"]

Floats = NDArray[np.float32]


class Writer:
    """Take the lock of a log, clear away what a killed writer left, and write epochs.

    Parameters
    ----------
    epochs : Epochs
        The files.
    """

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs
        self._lock = WriterLock(epochs.folder, self)
        self._waiting: dict[int, Floats] = {}  # epochs that could not be written, by number
        try:
            epochs.clear_leftovers()
            self._n_written = epochs.count()
        except BaseException:
            self._lock.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether this writes no more, as in a forked process."""
        return self._lock.closed

    def number(self, epoch: SupportsIndex | None) -> int:
        """Check the number of an epoch that has ended; by default it is the next."""
        end = 1 + max(self._waiting) if self._waiting else self._n_written
        number = end if epoch is None else operator.index(epoch)
        if not 0 <= number <= end:
            raise ValueError(
                f"Expected an epoch from 0 to {end}, the next of {self._epochs.folder}, "
                f"got {number}."
            )
        return number

    def clear(self) -> None:
        """Remove all epochs."""
        self._remove_after(-1)

    def write(self, number: int, errors: Floats) -> None:
        """Write an epoch, after those that wait."""
        self._write_waiting()
        self._write(number, errors)

    def keep(self, number: int, errors: Floats) -> None:
        """Let an epoch wait until the next is written, or the log is closed."""
        self._waiting = {n: e for n, e in self._waiting.items() if n < number} | {number: errors}

    def close(self) -> None:
        """Write what waits, or warn that it is lost, and let another write the log."""
        try:
            self._write_waiting()
        except OSError as error:
            names = ", ".join(map(name_of, self._waiting))
            warnings.warn(
                f"Lost: {names} of the log at {self._epochs.folder}. {error}",
                UserWarning,
                stacklevel=3,
            )
        finally:
            self.forget()

    def forget(self) -> None:
        """Let another write the log, and drop what waits."""
        self._lock.close()
        self._waiting.clear()

    def _write_waiting(self) -> None:
        for number in sorted(self._waiting):
            self._write(number, self._waiting[number])
            del self._waiting[number]

    def _write(self, number: int, errors: Floats) -> None:
        try:
            self._lock.check()
        except OSError as error:
            raise about(self._epochs.folder / name_of(number), error) from error
        if number < self._n_written:
            self._epochs.replace(number, errors)
            n_later = self._n_written - number - 1
            self._remove_after(number)
            if n_later:
                self._warn_of_removal(number, n_later)
        else:
            self._epochs.create(number, errors)
            self._n_written = number + 1

    def _warn_of_removal(self, number: int, n_later: int) -> None:
        warnings.warn(
            f"Epoch {number} of the log at {self._epochs.folder} was recorded again: the "
            f"{n_later} after it, of a run that did not go on, are removed.",
            UserWarning,
            stacklevel=5,
        )

    def _remove_after(self, number: int) -> None:
        """Remove what a run that went back to an epoch has made void."""
        self._epochs.remove(range(number + 1, self._n_written))
        self._n_written = number + 1
