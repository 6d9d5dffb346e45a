"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole", "whole_folder", "write_text"]


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give another name for a file until it is complete; if that fails, nothing is left.

    Parameters
    ----------
    path : Path
        The file, in a folder that is made if it is not there.

    Yields
    ------
    Path
        What is to be written instead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give another name for a folder until it is complete.

    Parameters
    ----------
    path : Path
        The folder, which is not there.

    Yields
    ------
    Path
        An empty folder that is to be filled instead. If that fails it is left to be looked at,
        until the next attempt.
    """
    partial = path.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(path)


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, "utf-8")
