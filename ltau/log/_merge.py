"""Makes one log from those that several processes wrote."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

import numpy as np

from ltau.log._log import ErrorLog

__all__ = ["merge_logs"]

StrPath = str | os.PathLike[str]


def merge_logs(paths: Iterable[StrPath], into: StrPath) -> ErrorLog:
    """Merge the logs of a distributed run, in which every process wrote its own.

    Samples that no log has are NaN. Samples that several logs have, because they fill up
    the last batch of several processes, count once: see `ErrorLog`.

    Parameters
    ----------
    paths : iterable of str or path-like
        The logs, of the same samples. Only epochs that all logs have are merged.
    into : str or path-like
        The folder of the merged log, where there is none yet. It gets the unit, the target
        and the notes of the first log, and as many bits as the log that has most, so that
        nothing is rounded again.

    Returns
    -------
    ErrorLog
        The merged log.

    Raises
    ------
    ValueError
        If there are no logs; they differ in samples, unit or target; or the merged log has
        epochs already, or other bits.
    LTAUFileError
        If a log is not one, or is damaged.
    OSError
        If a log cannot be read, or the merged one cannot be written.

    Warns
    -----
    UserWarning
        If some logs have more epochs than others, as where a process died before the rest.

    Examples
    --------
    >>> import tempfile
    >>> from ltau import ErrorLog, merge_logs
    >>> folder = tempfile.TemporaryDirectory()
    >>> ranks = [f"{folder.name}/rank-{rank}" for rank in range(2)]
    >>> for rank, ids in enumerate([[0, 2], [1, 0]]):    # sample 0 fills up the last batch
    ...     with ErrorLog(ranks[rank], n_samples=3) as log:
    ...         log.record(ids, [0.5, 0.5])
    ...         log.end_epoch()
    >>> merge_logs(ranks, f"{folder.name}/merged")[:, 0]
    array([0.5, 0.5, 0.5], dtype=float32)
    >>> folder.cleanup()
    """
    logs = [ErrorLog(path) for path in paths]
    if not logs:
        raise ValueError("Expected at least one log to merge, got none.")
    for name in ("n_samples", "unit", "target"):
        values = [getattr(log, name) for log in logs]
        if any(value != values[0] for value in values):
            raise ValueError(f"Expected logs of the same {name}, got {values}.")
    first = logs[0]
    merged = ErrorLog(
        into,
        first.n_samples,
        unit=first.unit,
        target=first.target,
        notes=first.notes,
        bits=max(log.bits for log in logs),
    )
    if merged.n_epochs:
        raise ValueError(f"Expected a new log to merge into, got {merged!r}.")
    numbers = [log.n_epochs for log in logs]
    if min(numbers) < max(numbers):
        warnings.warn(
            f"The logs have {numbers} epochs: the first {min(numbers)}, common to all, are merged.",
            UserWarning,
            stacklevel=2,
        )
    with merged:
        for epoch in range(min(numbers)):
            errors = logs[0][:, epoch]
            for log in logs[1:]:
                part = log[:, epoch]
                np.copyto(errors, part, where=~np.isnan(part))
            seen = np.flatnonzero(~np.isnan(errors))
            merged.record(seen, errors[seen])
            merged.end_epoch()
    return merged
