"""What a log is of: its ``log.json``, written when the log is started."""

from __future__ import annotations

import hashlib
import json
import operator
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, SupportsIndex

from ltau._files.archive import LTAUFileError
from ltau._files.regular import open_regular
from ltau._files.whole import create_whole, sync_folder, write_whole
from ltau.log._bits import ON_DISK
from ltau.log._layout import Layout

__all__ = ["describe", "is_free", "layout_of", "read_metadata", "replace", "start"]

FORMAT_VERSION = 3  # of logs of 16 bits

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


def describe(
    path: Path,
    n_samples: SupportsIndex | None,
    unit: str | None,
    target: str | None,
    bits: SupportsIndex | None,
    notes: dict[str, Any] | None,
) -> bytes:
    """Make what a log that is to be started says of itself."""
    if n_samples is None:
        raise FileNotFoundError(f"There is no log at {path}; give n_samples to start one.")
    metadata: dict[str, Any] = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "run": uuid.uuid4().hex,
        "n_samples": operator.index(n_samples),
        "unit": unit,
        "target": target,
        "bits": 32 if bits is None else operator.index(bits),
        "notes": {} if notes is None else notes,
    }
    _check_metadata(metadata)
    if metadata["bits"] == 32:  # as all have in the format before, which older versions read
        del metadata["bits"]
        metadata["version"] = 2
    try:
        metadata = json.loads(json.dumps(metadata))  # as it will be read: keys become strings
        return json.dumps(metadata | {"checksum": _checksum(metadata)}, indent=1).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected notes that JSON can hold, got {notes}: {error}.") from error


def start(path: Path, metadata: bytes) -> None:
    """Start a log, unless another process has done so by now."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        create_whole(path / _METADATA, lambda file: file.write(metadata))
    for folder in new:
        sync_folder(folder.parent)


def replace(path: Path, metadata: bytes) -> None:
    """Make the log another run's. Its epochs must be gone."""
    write_whole(path / _METADATA, lambda file: file.write(metadata))


def read_metadata(path: Path) -> dict[str, Any]:
    """Read what a log is of, and check it."""
    with open_regular(path / _METADATA) as file:
        data = file.read()
    try:
        metadata = json.loads(data)
        _check_format(metadata)
        checksum = metadata.pop("checksum", None)
        is_first = metadata["version"] == 1 and checksum is None  # that format had none
        if not is_first and checksum != _checksum(metadata):
            raise ValueError("Its checksum does not fit: it was damaged, or changed by hand.")
        if metadata["version"] < 3:
            metadata["bits"] = 32
        _check_metadata(metadata)
    except (RecursionError, ValueError) as error:
        raise LTAUFileError(f"{path} cannot be read as a log: {error}") from error
    return metadata


def layout_of(metadata: dict[str, Any]) -> Layout:
    """Say what the files of a log's epochs hold. The first format had no runs."""
    run = bytes.fromhex(metadata["run"]) if metadata["version"] > 1 else None
    return Layout(metadata["n_samples"], run, metadata["bits"])


def _check_format(metadata: Any) -> None:
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise ValueError(f"Expected {_METADATA} of the format {_FORMAT!r}.")
    version = metadata.get("version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ValueError(
            f"Expected format version 1 to {FORMAT_VERSION}, got {version!r}. "
            "Upgrade ltau to read what a newer one wrote."
        )


def _check_metadata(metadata: dict[str, Any]) -> None:
    """Check what a file says, or what would be written in one."""
    run = metadata.get("run")
    if metadata["version"] > 1 and not re.fullmatch("[0-9a-f]{32}", str(run)):
        raise ValueError(f"Expected a run of 32 hexadecimal digits, got {run!r}.")
    n_samples = metadata.get("n_samples")
    if not isinstance(n_samples, int) or n_samples < 1:
        raise ValueError(f"Expected n_samples of at least 1, got {n_samples!r}.")
    bits = metadata.get("bits")
    if not isinstance(bits, int) or bits not in ON_DISK:
        raise ValueError(f"Expected bits {' or '.join(map(str, ON_DISK))}, got {bits!r}.")
    for name in ("unit", "target"):
        if not isinstance(metadata.get(name), str | None):
            raise ValueError(f"Expected {name} to be a string, got {metadata[name]!r}.")
    if not isinstance(metadata.get("notes"), dict):
        raise ValueError(f"Expected notes in a dict, got {metadata.get('notes')!r}.")


def _checksum(metadata: dict[str, Any]) -> str:
    """Take the checksum of all that a log says of itself."""
    data = json.dumps(metadata, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=16, usedforsecurity=False).hexdigest()
