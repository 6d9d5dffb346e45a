"""A cache of finished measurements, so that a benchmark goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ltau
from benchmarks.harness.files import whole, write_text

__all__ = ["cached", "cached_arrays", "code_of_ltau"]


def cached(
    folder: Path, config: Mapping[str, Any], measure: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
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
    dict of str to JSON values
        The measurement.
    """
    path = _path(folder, config, "json")
    if path.is_file():
        result: dict[str, Any] = json.loads(path.read_text("utf-8"))["result"]
        return result
    result = measure()
    write_text(path, json.dumps({"config": config, "result": result}, indent=1))
    return result


def cached_arrays(
    folder: Path, config: Mapping[str, Any], make: Callable[[], dict[str, NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """Read the arrays made with this configuration, or make and keep them.

    Parameters
    ----------
    folder : Path
        Where arrays are kept, a file of numpy each; made if it is not there.
    config : mapping of str to JSON values
        All that the arrays depend on.
    make : callable
        Makes the arrays.

    Returns
    -------
    dict of str to ndarray
        The arrays.
    """
    path = _path(folder, config, "npz")
    if not path.is_file():
        arrays = make()
        with whole(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # of allow_pickle
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@cache
def code_of_ltau() -> str:
    """Name the code of ltau by a hash, for configurations: other code, other results."""
    folder = Path(ltau.__file__).parent
    code = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        code.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return code.hexdigest()[:16]


def _path(folder: Path, config: Mapping[str, Any], suffix: str) -> Path:
    key = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{key}.{suffix}"
