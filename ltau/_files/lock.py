"""Locks of files, which the system releases when the process that holds them dies."""

from __future__ import annotations

import errno
import sys
from typing import IO, Any

__all__ = ["NoLocksError", "try_lock"]

if sys.platform == "win32":
    import msvcrt

    def _lock_file(file: IO[Any]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock_file(file: IO[Any]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# What file systems without locks answer: some mounts of NFS, Lustre and FUSE.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


class NoLocksError(OSError):
    """The file system knows no locks."""


def try_lock(file: IO[Any]) -> bool:
    """Lock a file until it is closed, without waiting; False if another holds it.

    Raises NoLocksError where there are no locks.
    """
    try:
        _lock_file(file)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoLocksError(error.errno, error.strerror) from error
        raise
    return True
