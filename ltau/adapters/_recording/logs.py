"""The log of a training: which goes on, or starts where there is nothing of another."""

from __future__ import annotations

import os
from typing import Any, Literal

from ltau.log import ErrorLog

__all__ = ["open_log"]


def open_log(
    log: str | os.PathLike[str] | ErrorLog,
    n_samples: int,
    epoch: int,
    *,
    goes_on: bool,
    overwrite: bool,
    bits: Literal[16, 32] | None = None,
    **described: Any,
) -> ErrorLog:
    """Open the log of a training to be written, so that it never holds two runs.

    Parameters
    ----------
    log : str, path-like or ErrorLog
        Its folder. A log is closed, and opened again.
    n_samples : int
        Number of training samples.
    epoch : int
        The epoch that comes next.
    goes_on : bool
        Whether the training was resumed.
    overwrite : bool
        Whether a training that starts removes what an earlier one has left.
    bits : {32, 16}, optional
        Bits that an error takes on the disk; by default as in the log that is there.
    **described : Any
        What a log that is started says of itself, where none was given.

    Raises
    ------
    FileExistsError
        If a training starts, the log has epochs, and they are not to be removed.
    ValueError
        If epochs before the next are missing, or the log is of something else.
    """
    if isinstance(log, ErrorLog):
        log.close()
        described = {"unit": log.unit, "target": log.target, "notes": log.notes}
        bits, log = log.bits, log.path
    mode: Any = "new" if overwrite and not goes_on else "resume"
    if mode == "new" and bits is None:
        bits = _bits_at(log)
    opened = ErrorLog(log, n_samples, **described, bits=bits, mode=mode)
    if opened.n_epochs and not goes_on:
        raise FileExistsError(
            f"Expected a log without epochs for a training that starts, got {opened.path} with "
            f"{opened.n_epochs} epochs of an earlier run. Take another folder, resume that run "
            "from its checkpoint, or remove its epochs by overwrite=True."
        )
    if opened.n_epochs < epoch:
        raise ValueError(
            f"Expected the log of the training that goes on at epoch {epoch}, got {opened.path}, "
            f"which has {opened.n_epochs} epochs."
        )
    return opened


def _bits_at(path: str | os.PathLike[str]) -> Literal[16, 32] | None:
    try:
        return ErrorLog(path).bits
    except FileNotFoundError:
        return None
