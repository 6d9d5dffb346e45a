"""The lock of a log's one writer, which the system releases when its process dies."""

from __future__ import annotations

import io
import os
import sys
import weakref
from pathlib import Path
from typing import Protocol

__all__ = ["lock"]

if sys.platform == "win32":
    import msvcrt

    def _lock_file(file: io.FileIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock_file(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class _Writer(Protocol):
    def close(self) -> None: ...


# A forked process has copies of its parent's locks, and a lock lasts as long as any copy:
# the data workers of a killed run would keep its successor out. So a fork closes them.
_writers: weakref.WeakSet[_Writer] = weakref.WeakSet()


def lock(folder: Path, writer: _Writer) -> io.FileIO:
    """Make `writer` the one writer of the log in `folder`, until the file given is closed.

    Raises RuntimeError if the log has another writer.
    """
    file = io.FileIO(folder / "lock", "a")
    try:
        _lock_file(file)
    except OSError as error:
        file.close()
        if isinstance(error, BlockingIOError | PermissionError):
            raise RuntimeError(
                f"Expected to be the one writer of the log at {folder}, but it has another: "
                "close that, or end its process."
            ) from error
        raise OSError(error.errno, f"Cannot lock the log: {error.strerror}", str(folder)) from error
    _writers.add(writer)
    return file


def _close_all() -> None:
    for writer in _writers:
        writer.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_all)
