"""One method on one fold: measured, or read where it was measured before."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ltau._files.whole import write_whole
from ltau.comparison._code import fingerprint
from ltau.comparison._learner import Learner
from ltau.comparison._observed import Observed, observe
from ltau.comparison._rows import Floats, Rows

__all__ = ["Cell", "Fold", "cached_cell"]

T = TypeVar("T")

_N_TIMED = 3  # predictions that are timed; the fastest counts


@dataclass(frozen=True)
class Fold:
    """Rows to train on, rows to test on, and the seed of everything random."""

    train: Rows
    test: Rows
    rows: NDArray[np.intp]  # numbers of the test rows in the table
    seed: int


@dataclass(frozen=True)
class Cell:
    """What one method did on one fold; costs are seconds of the processor."""

    observed: Observed
    fit_seconds: float
    predict_seconds: float


def cached_cell(cache: Path | None, method: type[Learner], model: Any, fold: Fold) -> Cell:
    """Measure a method on a fold, unless that is done.

    Parameters
    ----------
    cache : Path, optional
        Folder of the results that are finished. By default nothing is kept.
    method : type
        A subclass of `Learner`.
    model : regressor
        The untrained model that methods share.
    fold : Fold
        The rows.

    Returns
    -------
    Cell
        What was measured, now or before.
    """
    code = None if cache is None else fingerprint(method, model)
    if cache is None or code is None:
        return _measure(method, model, fold)
    path = cache / f"{_key(code, model, fold)}.npz"
    if path.is_file():
        return _read(path)
    cell = _measure(method, model, fold)
    cache.mkdir(parents=True, exist_ok=True)
    arrays = {
        **cell.observed.arrays(),
        "fit_seconds": np.array(cell.fit_seconds),
        "predict_seconds": np.array(cell.predict_seconds),
    }
    write_whole(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    return cell


def _measure(method: type[Learner], model: Any, fold: Fold) -> Cell:
    """Fit a method, and score what it predicts; reading an interval is part of a prediction."""
    learner = method(model, fold.seed)
    _, fit_seconds = _timed(lambda: learner.fit(fold.train))
    X = fold.test.X
    predict_seconds = min(
        _timed(lambda: learner.predict(X).interval(0.9))[1] for _ in range(_N_TIMED)
    )
    return Cell(observe(learner.predict(X), fold.test.y), fit_seconds, predict_seconds)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def _read(path: Path) -> Cell:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    fit_seconds, predict_seconds = (
        float(arrays.pop(name)) for name in ("fit_seconds", "predict_seconds")
    )
    return Cell(Observed(**arrays), fit_seconds, predict_seconds)


def _key(code: dict[str, str], model: Any, fold: Fold) -> str:
    """Name all that a measurement depends on."""
    described = {
        "code": code,
        "model": {name: repr(value) for name, value in model.get_params().items()},
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "seed": fold.seed,
        "data": _hash_of(*fold.train, *fold.test),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:24]


def _hash_of(*arrays: Floats | NDArray[Any] | None) -> str:
    content = hashlib.sha256()
    for array in arrays:
        if array is None:
            content.update(b"none")
            continue
        plain = array.astype(str) if array.dtype == object else np.ascontiguousarray(array)
        content.update(f"{plain.dtype}{plain.shape}".encode() + plain.tobytes())
    return content.hexdigest()
