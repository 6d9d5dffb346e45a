"""Writing to files, whole or not at all."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TextIO

__all__ = ["append_whole", "write_text_whole", "write_whole"]


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
            raise _about(path, error) from error
        raise


def write_text_whole(path: Path, write: Callable[[TextIO], object]) -> None:
    """Do what `write_whole` does with a file of text, in UTF-8."""

    def write_text(file: IO[bytes]) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8")
        write(text)
        text.detach()

    write_whole(path, write_text)


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
        raise _about(path, error) from error


def _about(path: Path, error: OSError) -> OSError:
    return OSError(error.errno, f"Cannot write {path.name}: {error.strerror}", str(path))
