"""A log of errors: recorded batch by batch, read like an array."""

from __future__ import annotations

import io
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ltau._files.lock import lock
from ltau.log._epochs import clear_leftovers, count_epochs, read_epoch, write_epoch
from ltau.log._indexing import rows_and_epochs
from ltau.log._metadata import is_free, read_metadata, start
from ltau.log._under_way import add, check_batch

__all__ = ["ErrorLog"]

Floats = NDArray[np.float32]
StrPath = str | os.PathLike[str]


class ErrorLog:
    """Record every training sample's error, epoch by epoch, in a folder.

    Finished epochs survive: a run killed at any moment loses at most the epoch under
    way, and goes on in the same log. The log reads like an array of shape
    (n_samples, n_epochs) in which NaN = the sample was not seen that epoch, and loads
    no more than is asked for. It may be read while another process writes it.

    Parameters
    ----------
    path : str or path-like
        The folder of the log. Where there is none, or an empty one, a log is started.
    n_samples : int, optional
        Number of training samples, whose ids are 0 to `n_samples` - 1; needed to start
        a log.
    unit : str, optional
        Unit of the errors, such as ``"eV/Å"``.
    target : str, optional
        What the errors are of, such as ``"forces"``.
    notes : dict, optional
        Whatever else is worth keeping that JSON can hold: the model, the seed. Notes
        are written when the log is started, and not read when it is opened again.

    Attributes
    ----------
    ndim : int
        2, of (n_samples, n_epochs).
    dtype : dtype
        float32.

    Raises
    ------
    FileNotFoundError
        If there is no log at `path`, and no `n_samples` to start one.
    LTAUFileError
        If the folder is not a log, is damaged, or is newer than this version can read.
    ValueError
        If the log that is there is of another number of samples, unit or target, or
        the arguments are not as described.
    OSError
        If the log cannot be started or opened.

    See Also
    --------
    merge_logs : One log of those that several processes wrote.

    Notes
    -----
    ``log[rows]`` and ``log[rows, epochs]`` read what they would of an array. Each index
    is an integer, a slice, or a 1-D array of integers or booleans; one may be an array.

    The folder holds ``log.json`` and ``epoch-000000.npy``, ``epoch-000001.npy``, ...:
    arrays of shape (n_samples,), float32, that ``numpy.load`` reads too.

    Examples
    --------
    >>> import tempfile
    >>> from ltau.log import ErrorLog
    >>> folder = tempfile.TemporaryDirectory()
    >>> with ErrorLog(folder.name, n_samples=3, unit="eV") as log:
    ...     for epoch in range(2):
    ...         log.record([2, 0], [0.5, 0.25])    # one batch: ids and errors
    ...         log.end_epoch()
    >>> log[:]
    array([[0.25, 0.25],
           [ nan,  nan],
           [0.5 , 0.5 ]], dtype=float32)
    >>> folder.cleanup()
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(
        self,
        path: StrPath,
        n_samples: int | None = None,
        *,
        unit: str | None = None,
        target: str | None = None,
        notes: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(path)
        if is_free(self._path):
            start(self._path, n_samples, unit, target, notes)
        self._metadata = read_metadata(self._path)
        self._check_same(n_samples=n_samples, unit=unit, target=target)
        self._lock: io.FileIO | None = None
        self._n_written = 0  # epochs in the log; counted by its writer, known to no other
        self._under_way: Floats | None = None  # errors of the epoch that has not ended

    @property
    def path(self) -> Path:
        """Folder of the log."""
        return self._path

    @property
    def n_samples(self) -> int:
        """Number of training samples."""
        return self._metadata["n_samples"]

    @property
    def n_epochs(self) -> int:
        """Number of epochs in the log now: another process may be adding to them."""
        return count_epochs(self._path)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_samples, n_epochs)."""
        return self.n_samples, self.n_epochs

    @property
    def unit(self) -> str | None:
        """Unit of the errors, where it was given."""
        return self._metadata["unit"]

    @property
    def target(self) -> str | None:
        """What the errors are of, where it was given."""
        return self._metadata["target"]

    @property
    def notes(self) -> dict[str, Any]:
        """Notes that the log was started with."""
        return dict(self._metadata["notes"])

    def record(self, ids: ArrayLike, errors: ArrayLike) -> None:
        """Record the errors of one batch.

        The first call makes this the one writer of the log, until it is closed or its
        process ends.

        Parameters
        ----------
        ids : array-like of shape (n,), int
            The samples of the batch. A sample may be recorded twice in an epoch, as
            padded batches do, if its error is the same.
        errors : array-like of shape (n,)
            Their errors: non-negative magnitudes, in the unit of the target; kept in
            float32.

        Raises
        ------
        ValueError
            If shapes differ, an id has no sample, an error is negative, NaN or
            infinite, or a sample has two different errors in this epoch. Nothing of
            the batch is kept then.
        RuntimeError
            If the log already has a writer, in this process or in another.
        OSError
            If the folder cannot be written to.
        """
        rows, values = check_batch(ids, errors, self.n_samples)
        if self._lock is None:
            self._become_writer()
        under_way = self._under_way
        if under_way is None:
            under_way = np.full(self.n_samples, np.nan, self.dtype)
        add(under_way, rows, values)
        self._under_way = under_way

    def end_epoch(self, epoch: SupportsIndex | None = None) -> None:
        """Write the epoch to the log. Samples not recorded are NaN.

        Parameters
        ----------
        epoch : int, optional
            Number of the epoch, from 0. One that is in the log is replaced, so that a
            run resumed from a checkpoint may repeat epochs. By default it is the next.

        Raises
        ------
        RuntimeError
            If nothing was recorded since the last epoch.
        ValueError
            If epochs before this one are missing.
        OSError
            If the epoch cannot be written: a full disk, a lost mount. The log is as it
            was, and the epoch's errors are kept: call `end_epoch` again to retry.
        """
        if self._under_way is None:
            raise RuntimeError("Nothing was recorded in this epoch: call record() first.")
        number = self._n_written if epoch is None else operator.index(epoch)
        if not 0 <= number <= self._n_written:
            raise ValueError(
                f"Expected an epoch from 0 to {self._n_written}, the next of {self._path}, "
                f"got {number}."
            )
        write_epoch(self._path, number, self._under_way)
        self._n_written = max(self._n_written, number + 1)
        self._under_way = None

    def close(self) -> None:
        """Let another write the log. An epoch that has not ended is dropped."""
        if self._lock is not None:
            self._lock.close()
        self._lock = self._under_way = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def epochs(self) -> Iterator[Floats]:
        """Read the log epoch by epoch.

        Returns
        -------
        iterator of ndarray of shape (n_samples,), float32
            The errors of each epoch, from the first to the last that there is now.

        Raises
        ------
        LTAUFileError
            If a file is damaged or missing.
        """
        for epoch in range(self.n_epochs):
            yield self[:, epoch]

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, key: Any) -> Floats:
        """Read ``log[rows]`` or ``log[rows, epochs]``, and no more than that."""
        rows, epochs = rows_and_epochs(key)
        shape = self.shape
        # An array without memory: numpy says what shape comes out, or what is out of range.
        asked = np.broadcast_to(self.dtype.type(0), shape)[rows, epochs].shape
        errors = np.empty(asked[::-1], self.dtype).T  # an epoch's errors lie together, as on disk
        numbers = np.arange(shape[1])[epochs]
        columns = errors if numbers.ndim else errors[..., np.newaxis]
        for column, number in enumerate(np.atleast_1d(numbers)):
            columns[..., column] = read_epoch(self._path, number, shape[0])[rows]
        return errors[()]  # a scalar, where one error was asked for

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A log cannot become an array without a copy: it is on disk.")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        """Let other processes read the log: they open it where it is."""
        return type(self), (self._path.absolute(),)

    def __repr__(self) -> str:
        return (
            f"ErrorLog({str(self._path)!r}, n_samples={self.n_samples}, n_epochs={self.n_epochs})"
        )

    def _check_same(self, **given: Any) -> None:
        for name, value in given.items():
            if value is not None and value != self._metadata[name]:
                raise ValueError(
                    f"Expected {name}={self._metadata[name]!r}, as in the log at {self._path}, "
                    f"got {name}={value!r}."
                )

    def _become_writer(self) -> None:
        """Take the lock, and clear away what a killed writer left."""
        self._lock = lock(self._path, self)
        try:
            self._n_written = self.n_epochs
            clear_leftovers(self._path)
        except OSError:
            self.close()
            raise
