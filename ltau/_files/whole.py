"""Writing to files, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TextIO

from ltau._files.temporary import clear_leftovers, stem_of, temporary_file

__all__ = [
    "TAKEN",
    "about",
    "append_whole",
    "check_writable",
    "create_whole",
    "sync_folder",
    "write_text_whole",
    "write_whole",
]

# What file systems answer that have no hard links, and no order to write a folder to the disk.
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_NO_SYNC = {errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}

TAKEN = ".taken.tmp"  # ends the name of a file that says that a name is taken

Write = Callable[[IO[bytes]], object]


def write_whole(path: Path, write: Write) -> None:
    """Let `write` fill a file under another name, then rename it to `path`.

    What was at `path` stays until the new file is complete and on the disk, which has its
    mode. What killed processes left of `path` is cleared away. An OSError is of the kind
    that it was, and about `path`.
    """
    try:
        clear_leftovers(path.parent, stem_of(path))
        _fill(path, write, _replace)
    except OSError as error:
        raise about(path, error) from error


def create_whole(path: Path, write: Write) -> None:
    """Do what `write_whole` does where there is nothing at `path`.

    Of several that do it at once one succeeds. Raises FileExistsError if there is something.
    """
    try:
        _fill(path, write, _create)
    except OSError as error:
        raise about(path, error) from error


def write_text_whole(path: Path, write: Callable[[TextIO], object]) -> None:
    """Do what `write_whole` does with a file of text, in UTF-8."""

    def write_text(file: IO[bytes]) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8")
        write(text)
        text.detach()

    write_whole(path, write_text)


def check_writable(path: Path) -> None:
    """Refuse a name that no file can have, before there is work that would be lost.

    Raises OSError if it is that of a folder, its folder is not there, or cannot be written to.
    """
    if path.is_dir():
        raise about(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if not path.parent.is_dir():
        raise about(path, FileNotFoundError(errno.ENOENT, "there is no such folder"))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise about(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def append_whole(path: Path, data: bytes) -> None:
    """Add to the end of a file, which is started where there is none.

    If that fails, as on a full disk, the file is as it was. An OSError is of the kind that
    it was, and about `path`.
    """
    end = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.write(data)
    except OSError as error:
        with suppress(OSError):
            os.truncate(path, end)
        raise about(path, error) from error


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk, where the system can be told to."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def _fill(path: Path, write: Write, put: Callable[[Path, Path], None]) -> None:
    """Fill a temporary file, close it, and put it where it belongs once it is on the disk."""
    with temporary_file(path) as (temporary, file):
        with file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        put(temporary, path)


def _replace(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except PermissionError as error:
        if sys.platform != "win32":
            raise
        raise PermissionError(
            error.errno,
            f"{error.strerror}. Windows replaces no file that is open or mapped: delete what was "
            "loaded from it with mmap=True, or save under another name",
        ) from error
    sync_folder(path.parent)


def _create(temporary: Path, path: Path) -> None:
    """Give a file its name, unless another has it: renaming would replace that."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # Over a network the answer may be lost, and the link be there when it is asked again.
        if not os.path.samefile(temporary, path):
            raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _create_without_links(temporary, path)
    try:
        sync_folder(path.parent)
    except OSError:
        path.unlink()  # not acknowledged, so not there: it may be tried again
        raise


def _create_without_links(temporary: Path, path: Path) -> None:
    """Rename a file unless there is another, while this process alone may do so."""
    taken = path.with_name(f"{path.name}{TAKEN}")
    try:
        taken.open("xb").close()
    except FileExistsError as error:
        raise FileExistsError(
            error.errno, f"another process does; remove {taken.name} if none is alive"
        ) from error
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        temporary.replace(path)
    finally:
        taken.unlink()


def about(path: Path, error: OSError) -> OSError:
    """Make an error of the same kind that says which file could not be written."""
    return OSError(error.errno, f"Cannot write {path.name}: {error.strerror}", str(path))
