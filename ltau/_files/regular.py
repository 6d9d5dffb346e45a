"""Opening files that may be something else: a pipe that nobody fills, a link to elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

from ltau._files.archive import LTAUFileError

__all__ = ["open_regular"]

# A pipe is opened without waiting for its other end, a link not at all. Windows knows neither.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def open_regular(path: Path, mode: str = "rb") -> IO[bytes]:
    """Open a file of bytes, as `open` does, unless it is a link, a pipe, a device, ...

    Raises LTAUFileError if it is, and what `open` raises.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | _FLAGS, 0o666)

    try:
        file = open(path, mode, opener=opener)  # noqa: SIM115
    except OSError as error:
        # Of a link, and of a pipe that is to be written to and that nobody reads.
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR):
            raise LTAUFileError(
                f"{path} is damaged: expected a file, got {_kind(path)}."
            ) from error
        raise
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise LTAUFileError(f"{path} is damaged: expected a file, got {_kind(path)}.")
    return file


def _kind(path: Path) -> str:
    mode = path.lstat().st_mode
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a device or a socket")
