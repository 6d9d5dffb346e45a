"""A log of errors: recorded batch by batch, read like an array."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ltau._inputs.options import OnError, check_on_error, check_option
from ltau.log._batch import check_batch
from ltau.log._bits import Bits
from ltau.log._epochs import Epochs
from ltau.log._metadata import layout_of, read_metadata
from ltau.log._opening import open_metadata
from ltau.log._reading import DTYPE, read
from ltau.log._writer import Writer

__all__ = ["ErrorLog"]

Floats = NDArray[np.float32]
StrPath = str | os.PathLike[str]


class ErrorLog:
    """Record every training sample's error, epoch by epoch, in a folder.

    Finished epochs survive: they are on the disk when `end_epoch` returns, and a run that
    is killed loses at most the epoch under way, and continues in the same log. Every epoch
    has checksums, which are verified whenever it is read. The log reads like an array of
    shape (n_samples, n_epochs) in which NaN = the sample was not seen that epoch, and loads
    no more than is asked for. It may be read while another process writes it.

    Parameters
    ----------
    path : str or path-like
        The folder of the log. Where there is none, or an empty one, a log is started. A
        relative path is relative to the working directory in which the log is opened.
    n_samples : int, optional
        Number of training samples, whose ids are 0 to `n_samples` - 1; needed to start
        a log.
    unit : str, optional
        Unit of the errors, such as ``"eV/Å"``.
    target : str, optional
        What the errors are of, such as ``"forces"``.
    notes : dict, optional
        Whatever else is worth keeping, as far as JSON can hold it: the model, the seed.
        Notes are written when the log is started, and not read when it is opened again.
    bits : {32, 16}, optional
        Bits that an error takes on the disk; a log that is started without them has 32.
        With 16 the log is half as large, and every error in it is rounded by up to 0.2 %:
        see the notes.
    mode : {"new", "resume"}, optional
        What to do with the epochs that an earlier run has left, so that a log never holds
        two runs. ``"new"`` removes them, and the log is that of `n_samples`, `unit`,
        `target`, `notes` and `bits`. ``"resume"`` continues after them, for a run that is
        resumed from a checkpoint. By default they are read, and `record` refuses to add to
        them.

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
    RuntimeError
        With ``mode="new"``, if another process writes the log.
    LTAUFileError
        If the folder is not a log, is damaged, or is newer than this version can read.
    ValueError
        If the log that is there is of another number of samples, unit, target or bits,
        or the arguments are not as described.
    OSError
        If the log cannot be started or opened.

    See Also
    --------
    merge_logs : Makes one log from those that several processes wrote.

    Notes
    -----
    ``log[rows]`` and ``log[rows, epochs]`` read what they would of an array. Each index
    is an integer, a slice, or a 1-D array of integers or booleans; one may be an array.

    A sample that is recorded several times in an epoch, because it fills up a batch or is
    drawn with replacement, keeps its last error. Between processes that is the error of the
    highest rank, and when logs are merged that of the last log. This holds for every
    recorder and callback.

    The folder holds ``log.json`` and ``epoch-000000.npy``, ``epoch-000001.npy``, ...:
    arrays of shape (n_samples,), float32. ``numpy.load`` reads them too, but does not
    verify the checksums that follow. These are made for the run and the epoch, so files
    that were swapped, or come from another log, are refused. A log started by an ltau
    without checksums continues without them: see `has_checksums`.

    With ``bits=16`` the files hold uint16: of each float32 the 16 bits after the sign, which
    errors do not have, rounded to nearest. These keep 8 bits of the mantissa: an error of
    1.2e-38 or more changes by at most 2**-9 of it, 0.2 %. NaN, zero and finite numbers stay so.
    ``(numpy.load(file).astype("u4") << 15).view("f4")`` reads such a file.

    A log has one writer, which holds a lock. On a file system without locks there is a
    warning, and the training continues: make sure yourself that only one process writes. If
    two do, no epoch of one is overwritten by the other's as its next: one is refused with
    `FileExistsError`, and the one that began first no longer writes.

    Examples
    --------
    >>> import tempfile
    >>> from ltau import ErrorLog
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
    dtype = DTYPE

    def __init__(
        self,
        path: StrPath,
        n_samples: int | None = None,
        *,
        unit: str | None = None,
        target: str | None = None,
        notes: dict[str, Any] | None = None,
        bits: Bits | None = None,
        mode: Literal["new", "resume"] | None = None,
    ) -> None:
        check_option("mode", mode, (None, "new", "resume"))
        if mode == "new" and n_samples is None:
            raise ValueError('Expected n_samples with mode="new", got None.')
        self._path = Path(path).absolute()
        self._mode = mode
        self._metadata = open_metadata(
            self._path, mode, notes, n_samples=n_samples, unit=unit, target=target, bits=bits
        )
        self._epochs = Epochs(self._path, layout_of(self._metadata))
        self._writer: Writer | None = None
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
        """Number of epochs in the log now: another process may be adding to them.

        Raises
        ------
        LTAUFileError
            If an epoch before the last is missing, or a file has a name like theirs.
        """
        return self._epochs.count()

    @property
    def shape(self) -> tuple[int, int]:
        """(n_samples, n_epochs)."""
        return self.n_samples, self.n_epochs

    @property
    def has_checksums(self) -> bool:
        """Whether damage is found when the log is read: not of logs in the first format."""
        return self._epochs.layout.run is not None

    @property
    def bits(self) -> Bits:
        """Bits that an error takes on the disk, 32 or 16."""
        return self._epochs.layout.bits

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
            The samples of the batch.
        errors : array-like of shape (n,)
            Their errors: non-negative magnitudes, in the unit of the target; kept in
            float32, and on the disk in the log's `bits`.

        Raises
        ------
        ValueError
            If shapes differ, an id has no sample, or an error is negative, NaN or
            infinite. Nothing of the batch is kept then.
        FileExistsError
            If the log has epochs of another run, and was not opened with ``mode="resume"``;
            or another log was started in its place.
        RuntimeError
            If the log already has a writer, in this process or in another.
        LTAUFileError
            If epochs are missing from the log, or something in it is not a file.
        OSError
            If the folder cannot be written to.

        Warns
        -----
        UserWarning
            At the first call, if the file system has no locks.
        """
        rows, values = check_batch(ids, errors, self.n_samples)
        if self._writer is None or self._writer.closed:  # by a fork
            self._writer, self._under_way = self._make_writer(), None
        if self._under_way is None:
            self._under_way = np.full(self.n_samples, np.nan, self.dtype)
        self._under_way[rows] = values  # of a sample that comes several times, the last

    def end_epoch(self, epoch: SupportsIndex | None = None, *, on_error: OnError = "raise") -> None:
        """Write the epoch to the log, and wait until it is on the disk.

        Samples not recorded are NaN.

        Parameters
        ----------
        epoch : int, optional
            Number of the epoch, from 0. One that is in the log is replaced, and those
            after it are removed: a run that is resumed from a checkpoint repeats epochs,
            and later epochs do not belong to the run that continues. By default it is the
            next.
        on_error : {"raise", "warn"}, default="raise"
            What to do when the epoch cannot be written. ``"warn"`` keeps it in memory, to
            be written before the next epoch or by `close`, and warns: until then a run
            that is killed loses it.

        Raises
        ------
        RuntimeError
            If nothing was recorded since the last epoch.
        ValueError
            If epochs before this one are missing.
        OSError
            If the epoch cannot be written: a full disk, a lost mount, another writer. The
            log is as it was, and the epoch's errors are kept: call `end_epoch` again to
            retry.

        Warns
        -----
        UserWarning
            If epochs after this one are removed. With ``on_error="warn"``, instead of
            `OSError`.
        """
        check_on_error(on_error)
        if self._under_way is None or self._writer is None or self._writer.closed:
            raise RuntimeError("Nothing was recorded in this epoch: call record() first.")
        number = self._writer.number(epoch)
        try:
            self._writer.write(number, self._under_way)
        except OSError as error:
            if on_error == "raise":
                raise
            self._writer.keep(number, self._under_way)
            self._under_way = None
            warnings.warn(
                f"Epoch {number} is kept in memory, to be written with the next or when the "
                f"log is closed: {error}",
                UserWarning,
                stacklevel=2,
            )
        self._under_way = None

    def close(self) -> None:
        """Let another process write the log. An epoch that has not ended is dropped.

        Warns
        -----
        UserWarning
            If epochs that waited in memory cannot be written even now: they are lost.
        """
        writer, self._writer, self._under_way = self._writer, None, None
        if writer is not None:
            writer.close()

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
        return read(self._epochs, key)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A log cannot become an array without a copy: it is on disk.")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        """Let other processes read the log: they open it where it is."""
        return type(self), (self._path,)

    def __repr__(self) -> str:
        special = "" if self.has_checksums else ", has_checksums=False"
        special += "" if self.bits == 32 else f", bits={self.bits}"
        return (
            f"ErrorLog({str(self._path)!r}, n_samples={self.n_samples}, "
            f"n_epochs={self.n_epochs}{special})"
        )

    def _make_writer(self) -> Writer:
        """Become the one writer."""
        self._check_may_write()
        writer = Writer(self._epochs)
        try:
            self._check_may_write()  # again: from now on nobody else changes the log
        except BaseException:
            writer.forget()
            raise
        self._mode = "resume"  # after a close, this goes on after epochs of its own
        return writer

    def _check_may_write(self) -> None:
        """Refuse another run's log, and one with epochs of which nobody said what becomes."""
        if layout_of(read_metadata(self._path)) != self._epochs.layout:
            raise FileExistsError(
                f"Expected the log that was opened at {self._path}, got another, which was "
                "started in its place: another run writes to the same folder."
            )
        if self._mode != "resume" and (n_epochs := self.n_epochs):
            raise FileExistsError(
                f"Expected a log without epochs, or a mode, got {self._path} with {n_epochs} "
                'epochs of an earlier run: ErrorLog(path, mode="resume") goes on after them, '
                'mode="new" removes them.'
            )
