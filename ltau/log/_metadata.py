"""What a log is of: its ``log.json``, written when the log is started."""

from __future__ import annotations

import json
import operator
import os
from pathlib import Path
from typing import Any, SupportsIndex

from ltau._files.archive import LTAUFileError
from ltau._files.whole import write_whole

__all__ = ["is_free", "read_metadata", "start"]

FORMAT_VERSION = 1

_FORMAT = "ltau-log"
_METADATA = "log.json"


def is_free(path: Path) -> bool:
    """Whether a log may be started: nothing is there but what a killed start left."""
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return True
    except NotADirectoryError as error:
        raise LTAUFileError(f"Expected the folder of a log, got the file {path}.") from error
    if _METADATA in names:
        return False
    if all(name.endswith(".tmp") for name in names):
        return True
    raise LTAUFileError(f"{path} is not a log: it has other files, but no {_METADATA}.")


def start(
    path: Path,
    n_samples: SupportsIndex | None,
    unit: str | None,
    target: str | None,
    notes: dict[str, Any] | None,
) -> None:
    if n_samples is None:
        raise FileNotFoundError(f"There is no log at {path}; give n_samples to start one.")
    metadata = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "n_samples": operator.index(n_samples),
        "unit": unit,
        "target": target,
        "notes": {} if notes is None else notes,
    }
    _check_metadata(metadata)
    try:
        data = json.dumps(metadata, indent=1).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected notes that JSON can hold, got {notes}: {error}.") from error
    path.mkdir(parents=True, exist_ok=True)
    write_whole(path / _METADATA, lambda file: file.write(data))


def read_metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((path / _METADATA).read_bytes())
        _check_metadata(metadata)
    except (RecursionError, ValueError) as error:
        raise LTAUFileError(f"{path} cannot be read as a log: {error}") from error
    return metadata


def _check_metadata(metadata: Any) -> None:
    """Check what a file says, or what would be written in one."""
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise ValueError(f"Expected {_METADATA} of the format {_FORMAT!r}.")
    if metadata.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"Expected format version {FORMAT_VERSION}, got {metadata.get('version')!r}. "
            "Upgrade ltau to read what a newer one wrote."
        )
    n_samples = metadata.get("n_samples")
    if not isinstance(n_samples, int) or n_samples < 1:
        raise ValueError(f"Expected n_samples of at least 1, got {n_samples!r}.")
    for name in ("unit", "target"):
        if not isinstance(metadata.get(name), str | None):
            raise ValueError(f"Expected {name} to be a string, got {metadata[name]!r}.")
    if not isinstance(metadata.get("notes"), dict):
        raise ValueError(f"Expected notes in a dict, got {metadata.get('notes')!r}.")
