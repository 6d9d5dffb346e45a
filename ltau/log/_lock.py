"""The one writer of a log: by a lock, and by its name where locks exclude nobody."""

from __future__ import annotations

import errno
import os
import sys
import uuid
import warnings
import weakref
from pathlib import Path
from typing import Protocol

from ltau._files.lock import NoLocksError, try_lock
from ltau._files.regular import open_regular
from ltau._files.whole import write_whole

__all__ = ["WriterLock"]


class _Writer(Protocol):
    def forget(self) -> None: ...


# A forked process has copies of its parent's locks, and a lock lasts as long as any copy:
# the data workers of a killed run would keep its successor out. So a fork closes them.
_writers: weakref.WeakSet[_Writer] = weakref.WeakSet()


class WriterLock:
    """Make `writer` the one writer of the log in `folder`, until it is closed.

    Raises RuntimeError if the log has another writer. Where the file system knows no locks,
    or they exclude nobody, the writer that came last has its name in the file ``writer``,
    and one that came before it finds that out.
    """

    def __init__(self, folder: Path, writer: _Writer) -> None:
        self._folder = folder
        self._name = uuid.uuid4().hex.encode()
        self._file = open_regular(folder / "lock", "ab")
        try:
            self._lock()
            write_whole(folder / "writer", lambda file: file.write(self._name))
        except BaseException:
            self.close()
            raise
        _writers.add(writer)

    def check(self) -> None:
        """Raise FileExistsError if another writer has come since, OSError if the log has gone."""
        with open_regular(self._folder / "writer") as file:
            if file.read() == self._name:
                return
        raise FileExistsError(
            errno.EEXIST,
            "another process has begun to write the log, or another log is there",
            str(self._folder),
        )

    @property
    def closed(self) -> bool:
        """Whether another may write the log."""
        return self._file.closed

    def close(self) -> None:
        """Let another write the log."""
        self._file.close()

    def _lock(self) -> None:
        folder = self._folder
        try:
            if not try_lock(self._file):
                raise RuntimeError(
                    f"Expected to be the one writer of the log at {folder}, but it has another: "
                    "close that, or end its process."
                )
        except NoLocksError as error:
            warnings.warn(
                f"The file system of the log at {folder} has no locks ({error.strerror}), which "
                "keep a second writer out. Make sure that there is none; if one comes, the "
                "first gets an error when it ends its next epoch.",
                UserWarning,
                stacklevel=5,
            )
        except OSError as error:
            raise OSError(
                error.errno, f"Cannot lock the log: {error.strerror}", str(folder)
            ) from error


def _forget_all() -> None:
    for writer in _writers:
        writer.forget()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
