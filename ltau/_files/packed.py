"""Files that are packed as ``.xz``, ``.gz`` or ``.bz2``: unpacked whole, for readers that go back.

To go back in a packed file is to unpack it from its beginning.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import zlib
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from ltau._files.archive import LTAUFileError

__all__ = ["Unpacked", "is_packed", "unpack"]

_READERS = {".bz2": bz2.BZ2File, ".gz": gzip.GzipFile, ".xz": lzma.LZMAFile}
_MOST_IN_MEMORY = 1 << 26  # bytes; what is larger lies in a temporary file without a name
_CHUNK = 1 << 20  # bytes that are unpacked at once


class Unpacked(SpooledTemporaryFile[bytes]):
    """What was in a packed file, under its name without the suffix: readers may look at it."""

    def __init__(self, name: str) -> None:
        super().__init__(_MOST_IN_MEMORY)
        self._name = name

    @property
    def name(self) -> Any:
        """The name of the packed file, without its suffix."""
        return self._name


def is_packed(path: Path) -> bool:
    """Whether the name of a file says that it is packed."""
    return path.suffix in _READERS


def unpack(path: Path) -> Unpacked:
    """Unpack a file whose name says that it is packed, and stand at its beginning.

    Raises LTAUFileError if it is damaged or cut short, and what `open` raises.
    """
    unpacked = Unpacked(str(path.with_suffix("")))
    try:
        with _READERS[path.suffix](path) as packed:
            shutil.copyfileobj(packed, unpacked, _CHUNK)
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        unpacked.close()
        if getattr(error, "errno", None) is not None:  # of the disk, not of what is on it
            raise
        raise LTAUFileError(f"{path} is damaged, and cannot be unpacked: {error}") from error
    unpacked.seek(0)
    return unpacked
