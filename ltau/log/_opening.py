"""How a log is opened: started where there is none, made another run's, or as it is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from ltau.log._epochs import Epochs
from ltau.log._metadata import describe, is_free, layout_of, read_metadata, replace, start
from ltau.log._writer import Writer

__all__ = ["open_metadata"]


def open_metadata(
    path: Path, mode: str | None, notes: dict[str, Any] | None, **given: Any
) -> dict[str, Any]:
    """Start a log if there is none, or a new one is asked for; give what it says of itself.

    Parameters
    ----------
    path : Path
        The folder of the log.
    mode : {None, "new", "resume"}
        As of `ErrorLog`.
    notes : dict, optional
        Notes of a log that is started.
    **given : Any
        What else `describe` takes, which a log that is there must agree with; None if it may
        be whatever it is.

    Raises
    ------
    FileNotFoundError, RuntimeError, LTAUFileError, ValueError, OSError
        As from `ErrorLog`.
    """
    free = is_free(path)
    if free or mode == "new":
        metadata = describe(path, notes=notes, **given)
        if free:
            start(path, metadata)
        else:
            _make_new(path, metadata)
    found = read_metadata(path)
    for name, value in given.items():
        if value is not None and value != found[name]:
            raise ValueError(
                f"Expected {name}={found[name]!r}, as in the log at {path}, got {name}={value!r}."
            )
    return found


def _make_new(path: Path, metadata: bytes) -> None:
    """Remove the epochs of the log that is there, and let it be another run's."""
    layout = layout_of(read_metadata(path))  # refuses what is none, before anything is lost
    with closing(Writer(Epochs(path, layout))) as earlier:
        earlier.clear()
        replace(path, metadata)
