"""What the benchmark writes: all measurements and the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.files import write_text
from benchmarks.is2rs.measuring.judging import Relaxed
from benchmarks.is2rs.measuring.ranking import error_name
from benchmarks.is2rs.measuring.results import measure_all
from benchmarks.is2rs.measuring.scores import scores
from benchmarks.is2rs.report.tables import markdown

__all__ = ["write"]


def write(
    relaxed: Sequence[Relaxed],
    lost: Mapping[str, str],
    about: Mapping[str, Any],
    output: Path,
    n_resamples: int,
) -> str:
    """Write ``results.json`` and ``results.md``; return the Markdown.

    Parameters
    ----------
    relaxed : sequence of Relaxed
        The systems, at least one.
    lost : mapping of str to str
        Names of the systems that could not be relaxed, and why.
    about : mapping of str to JSON values
        What was run.
    output : Path
        Folder of the results; made if it is not there.
    n_resamples : int
        Resamples of each bootstrap.

    Returns
    -------
    str
        The Markdown.

    Raises
    ------
    ValueError
        If no system was relaxed.
    OSError
        If the files cannot be written.
    """
    if not relaxed:
        reasons = "; ".join(f"{sid}: {reason}" for sid, reason in lost.items())
        raise ValueError(f"Expected at least one relaxed system, got none. {reasons}".rstrip())
    measured = measure_all(relaxed, n_resamples)
    text = markdown(about, lost, error_name(relaxed), measured)
    everything = {
        "about": about,
        "lost": lost,
        **measured,
        "systems": {each.system.sid: _system(each) for each in relaxed},
    }
    data = json.dumps(_plain(everything), indent=1, allow_nan=False)
    write_text(output / "results.json", data)
    write_text(output / "results.md", text)
    return text


def _system(relaxed: Relaxed) -> dict[str, Any]:
    """Give what was found of one system, so that everything else can be computed from it."""
    return {
        "split": relaxed.system.split,
        "cluster": relaxed.system.cluster,
        "fold": relaxed.fold,
        **asdict(relaxed.judgement),
        "final_force": relaxed.final_force,
        "step_seconds": relaxed.step_seconds,
        "forward_seconds": relaxed.forward_seconds,
        "scores": scores(relaxed.path),
    }


def _plain(value: Any) -> Any:
    """Turn measurements into what JSON can hold: NaN becomes null, an infinity a string."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value
