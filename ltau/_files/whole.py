"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["write_whole"]


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a file under another name, then rename it to `path`.

    What was at `path` stays until the new file is complete and on the disk. An OSError
    is of the kind that it was, and about `path`.
    """
    temporary = path.parent / f"{path.stem[:40]}.{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            message = f"Cannot write {path.name}: {error.strerror}"
            raise OSError(error.errno, message, str(path)) from error
        raise
