"""A cache of finished measurements, so that a benchmark goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["cached"]


def cached(
    folder: Path, config: Mapping[str, Any], measure: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """Read the measurement made with this configuration, or make and keep it.

    Parameters
    ----------
    folder : Path
        Where measurements are kept, a JSON file each; made if it is not there.
    config : mapping of str to JSON values
        All that the measurement depends on.
    measure : callable
        Makes the measurement.

    Returns
    -------
    dict of str to float
        The measurement.
    """
    key = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"{key}.json"
    if path.is_file():
        result: dict[str, float] = json.loads(path.read_text("utf-8"))["result"]
        return result
    result = measure()
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps({"config": config, "result": result}, indent=1), "utf-8")
    partial.replace(path)  # a file is there whole or not at all
    return result
