"""The errors of every epoch in a folder, safe from whatever happens to the run.

Every epoch is one ``.npy`` file, written under another name, flushed to the disk and
renamed. The rename is the commit: an epoch is there whole or not at all. A chunked
store such as zarr keeps an epoch in several files, which appear one by one; making
them appear at once would take a protocol on top, and reading them a dependency.
"""

from __future__ import annotations

import io
import json
import operator
import os
import re
import tokenize
from collections.abc import Iterable, Iterator
from numbers import Integral
from pathlib import Path
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ltau._files.archive import LTAUFileError
from ltau._files.lock import lock
from ltau._files.whole import write_whole

__all__ = ["ErrorLog", "merge_logs"]

FORMAT_VERSION = 1

_FORMAT = "ltau-log"
_METADATA = "log.json"
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
        if _is_free(self._path):
            _start(self._path, n_samples, unit, target, notes)
        self._metadata = _read_metadata(self._path)
        self._check_same(n_samples=n_samples, unit=unit, target=target)
        self._lock: io.FileIO | None = None
        self._n_written = 0  # epochs in the log; counted by its writer, known to no other
        self._under_way: Floats | None = None  # errors of the epoch that has not ended

    @property
    def n_samples(self) -> int:
        """Number of training samples."""
        return self._metadata["n_samples"]

    @property
    def n_epochs(self) -> int:
        """Number of epochs in the log now: another process may be adding to them."""
        epochs = (_EPOCH.fullmatch(name) for name in os.listdir(self._path))
        return 1 + max((int(epoch[1]) for epoch in epochs if epoch), default=-1)

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
        rows, values = _check_batch(ids, errors, self.n_samples)
        if self._lock is None:
            self._become_writer()
        under_way = self._under_way
        if under_way is None:
            under_way = np.full(self.n_samples, np.nan, self.dtype)
        _add(under_way, rows, values)
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
        errors = self._under_way.astype(_DTYPE, copy=False)
        write_whole(
            _epoch_path(self._path, number), lambda file: np.save(file, errors, allow_pickle=False)
        )
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
        rows, epochs = _rows_and_epochs(key)
        shape = self.shape
        # An array without memory: numpy says what shape comes out, or what is out of range.
        asked = np.broadcast_to(self.dtype.type(0), shape)[rows, epochs].shape
        errors = np.empty(asked[::-1], self.dtype).T  # an epoch's errors lie together, as on disk
        numbers = np.arange(shape[1])[epochs]
        columns = errors if numbers.ndim else errors[..., np.newaxis]
        for column, number in enumerate(np.atleast_1d(numbers)):
            columns[..., column] = self._read(number)[rows]
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
            for leftover in self._path.glob("epoch-*.tmp"):
                leftover.unlink()
        except OSError:
            self.close()
            raise

    def _read(self, epoch: int) -> Floats:
        """Map one epoch's file into memory, once it is known to be what it should."""
        path = _epoch_path(self._path, epoch)
        try:
            errors = npy.open_memmap(path, mode="r")
        except FileNotFoundError as error:
            raise LTAUFileError(f"{path} is missing from the log.") from error
        except _DAMAGE as error:
            raise LTAUFileError(f"{path} is damaged: {error}") from error
        if errors.shape != (self.n_samples,) or errors.dtype != _DTYPE:
            raise LTAUFileError(
                f"{path} is damaged: expected shape ({self.n_samples},), {_DTYPE}, "
                f"got {errors.shape}, {errors.dtype}."
            )
        return errors


def merge_logs(paths: Iterable[StrPath], into: StrPath) -> ErrorLog:
    """Merge the logs of a distributed run, in which every process wrote its own.

    A sample's error is that of the first log that has it: samples that fill up the
    last batch in several processes count once. Samples that no log has are NaN.

    Parameters
    ----------
    paths : iterable of str or path-like
        The logs, of the same samples and epochs.
    into : str or path-like
        The folder of the merged log, in which there is none yet. It has the unit, the
        target and the notes of the first log.

    Returns
    -------
    ErrorLog
        The merged log.

    Raises
    ------
    ValueError
        If there are no logs; they differ in samples, epochs, unit or target; or the
        merged log has epochs already.
    LTAUFileError
        If a log is not one, or is damaged.
    OSError
        If a log cannot be read, or the merged one cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from ltau.log import ErrorLog, merge_logs
    >>> folder = tempfile.TemporaryDirectory()
    >>> ranks = [f"{folder.name}/rank-{rank}" for rank in range(2)]
    >>> for rank, ids in enumerate([[0, 2], [1, 0]]):    # sample 0 fills up the last batch
    ...     with ErrorLog(ranks[rank], n_samples=3) as log:
    ...         log.record(ids, [0.5, 0.5])
    ...         log.end_epoch()
    >>> merge_logs(ranks, f"{folder.name}/merged")[:, 0]
    array([0.5, 0.5, 0.5], dtype=float32)
    >>> folder.cleanup()
    """
    logs = [ErrorLog(path) for path in paths]
    if not logs:
        raise ValueError("Expected at least one log to merge, got none.")
    for name in ("n_samples", "unit", "target", "n_epochs"):
        values = [getattr(log, name) for log in logs]
        if any(value != values[0] for value in values):
            raise ValueError(f"Expected logs of the same {name}, got {values}.")
    first = logs[0]
    merged = ErrorLog(
        into, first.n_samples, unit=first.unit, target=first.target, notes=first.notes
    )
    if merged.n_epochs:
        raise ValueError(f"Expected a new log to merge into, got {merged!r}.")
    with merged:
        for parts in zip(*(log.epochs() for log in logs), strict=True):
            errors = parts[0]
            for part in parts[1:]:
                np.copyto(errors, part, where=np.isnan(errors))
            seen = np.flatnonzero(~np.isnan(errors))
            merged.record(seen, errors[seen])
            merged.end_epoch()
    return merged


def _is_free(path: Path) -> bool:
    """Whether a log may be started: nothing is there but what a killed start left."""
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return True
    except NotADirectoryError as error:
        raise LTAUFileError(f"Expected the folder of a log, got the file {path}.") from error
    if _METADATA in names:
        return False
    if all(name.endswith(".tmp") for name in names):
        return True
    raise LTAUFileError(f"{path} is not a log: it has other files, but no {_METADATA}.")


def _start(
    path: Path,
    n_samples: SupportsIndex | None,
    unit: str | None,
    target: str | None,
    notes: dict[str, Any] | None,
) -> None:
    if n_samples is None:
        raise FileNotFoundError(f"There is no log at {path}; give n_samples to start one.")
    metadata = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "n_samples": operator.index(n_samples),
        "unit": unit,
        "target": target,
        "notes": {} if notes is None else notes,
    }
    _check_metadata(metadata)
    try:
        data = json.dumps(metadata, indent=1).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected notes that JSON can hold, got {notes}: {error}.") from error
    path.mkdir(parents=True, exist_ok=True)
    write_whole(path / _METADATA, lambda file: file.write(data))


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((path / _METADATA).read_bytes())
        _check_metadata(metadata)
    except (RecursionError, ValueError) as error:
        raise LTAUFileError(f"{path} cannot be read as a log: {error}") from error
    return metadata


def _check_metadata(metadata: Any) -> None:
    """Check what a file says, or what would be written in one."""
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise ValueError(f"Expected {_METADATA} of the format {_FORMAT!r}.")
    if metadata.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"Expected format version {FORMAT_VERSION}, got {metadata.get('version')!r}. "
            "Upgrade ltau to read what a newer one wrote."
        )
    n_samples = metadata.get("n_samples")
    if not isinstance(n_samples, int) or n_samples < 1:
        raise ValueError(f"Expected n_samples of at least 1, got {n_samples!r}.")
    for name in ("unit", "target"):
        if not isinstance(metadata.get(name), str | None):
            raise ValueError(f"Expected {name} to be a string, got {metadata[name]!r}.")
    if not isinstance(metadata.get("notes"), dict):
        raise ValueError(f"Expected notes in a dict, got {metadata.get('notes')!r}.")


def _check_batch(
    ids: ArrayLike, errors: ArrayLike, n_samples: int
) -> tuple[NDArray[np.intp], Floats]:
    """Check one batch, and give it the types in which it is kept."""
    rows, values = np.asarray(ids), np.asarray(errors)
    if rows.ndim != 1 or rows.shape != values.shape:
        raise ValueError(
            f"Expected ids and errors of the same shape (n,), got {rows.shape} and {values.shape}."
        )
    if rows.size and rows.dtype.kind not in "iu":
        raise ValueError(f"Expected ids that are integers, got {rows.dtype}.")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"Expected errors that are real numbers, got {values.dtype}.")
    if rows.size and not 0 <= rows.min() <= rows.max() < n_samples:
        raise ValueError(
            f"Expected ids from 0 to {n_samples - 1}, got {rows.min()} to {rows.max()}."
        )
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused
        values = values.astype(np.float32)
    bad = np.flatnonzero(~(values >= 0) | np.isinf(values))
    if bad.size:
        raise ValueError(
            "Expected errors that are non-negative and finite in float32, "
            f"got {values[bad[0]]:g} of sample {rows[bad[0]]}."
        )
    return rows.astype(np.intp), values


def _add(under_way: Floats, rows: NDArray[np.intp], values: Floats) -> None:
    """Add a batch to the epoch under way, unless a sample would have two errors."""
    before = under_way[rows]
    under_way[rows] = values
    known = np.where(np.isnan(before), under_way[rows], before)
    clash = np.flatnonzero(known != values)
    if clash.size:
        under_way[rows] = before
        raise ValueError(
            f"Expected one error of each sample in an epoch, got {known[clash[0]]:g} and "
            f"{values[clash[0]]:g} of sample {rows[clash[0]]}. Call end_epoch() after each epoch."
        )


def _rows_and_epochs(key: Any) -> tuple[Any, Any]:
    """Split an index in two, each of which means the same of one epoch as of all."""
    indices = key if isinstance(key, tuple) else (key,)
    if len(indices) > 2:
        raise IndexError(f"Expected log[rows] or log[rows, epochs], got {len(indices)} indices.")
    rows, epochs = (*indices, slice(None), slice(None))[:2]
    for index in (rows, epochs):
        single = isinstance(index, slice | Integral) and not isinstance(index, bool)
        if not single and np.ndim(index) != 1:
            raise IndexError(f"Expected an integer, a slice or a 1-D array, got {index!r}.")
    if np.ndim(rows) == np.ndim(epochs) == 1:
        raise IndexError(
            "Expected an array for the rows or for the epochs, got two: "
            "log[rows][:, epochs] gives all their pairs."
        )
    return rows, epochs


def _epoch_path(path: Path, epoch: int) -> Path:
    return path / f"epoch-{epoch:06d}.npy"
