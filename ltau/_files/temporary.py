"""Files under another name, until they are complete: in use, or left over by a killed process."""

from __future__ import annotations

import os
import re
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ltau._files.lock import NoLocksError, try_lock

__all__ = ["clear_leftovers", "stem_of", "temporary_file"]

_NAME = re.compile(r"(.*)\.[0-9a-f]{32}\.tmp", re.DOTALL)


@contextmanager
def temporary_file(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Make an empty file beside `path`, with the mode of what is there, and hold it.

    Give its name and the file, which may be closed before it is renamed. What has its name
    at the end is removed.
    """
    name, held = _hold_new(path)
    try:
        with held:
            _keep_mode(path, held)
            if sys.platform == "win32":  # where no file that is open can be renamed
                yield name, held
                return
            with open(os.dup(held.fileno()), "wb") as file:  # both are one to the lock
                yield name, file
    finally:
        with suppress(OSError):
            name.unlink()


def clear_leftovers(folder: Path, stem: str | None = None) -> None:
    """Remove temporary files that nobody holds: of the files of one stem, or of all."""
    for name in os.listdir(folder):
        match = _NAME.fullmatch(name)
        if match and stem in (None, match[1]):
            # What cannot be removed, or cannot be known to be left over, does no harm.
            with suppress(OSError):
                _remove_leftover(folder / name)


def stem_of(path: Path) -> str:
    """Give what the names of temporary files of `path` begin with."""
    return path.stem[:40]


def _hold_new(path: Path) -> tuple[Path, IO[bytes]]:
    while True:
        name = path.parent / f"{stem_of(path)}.{uuid.uuid4().hex}.tmp"
        file = name.open("xb")
        if sys.platform == "win32":  # no file that is open can be removed there
            return name, file
        try:
            # Somebody who clears leftovers may have come between.
            if try_lock(file) and os.fstat(file.fileno()).st_nlink:
                return name, file
        except NoLocksError:
            return name, file
        file.close()


def _keep_mode(path: Path, file: IO[bytes]) -> None:
    """Give a file the mode of the one it replaces, before anything is in it to be read."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != stat.S_IMODE(os.fstat(file.fileno()).st_mode):
            os.chmod(file.name, mode)


def _remove_leftover(path: Path) -> None:
    if sys.platform == "win32":
        path.unlink()
        return
    if not stat.S_ISREG(path.lstat().st_mode):
        return
    with path.open("ab") as file:
        if try_lock(file):
            path.unlink()
