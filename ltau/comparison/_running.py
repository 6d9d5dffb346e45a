"""Every method on every fold; a method that fails is lost alone."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from ltau._progress import Tell
from ltau.comparison._cells import Cell, Fold, cached_cell
from ltau.comparison._finding import REFERENCE, Methods

__all__ = ["run"]


def run(
    methods: Methods, model: Any, folds: list[Fold], cache: Path | None, tell: Tell
) -> tuple[dict[str, list[Cell]], dict[str, str]]:
    """Measure methods on all folds, on one thread.

    Parameters
    ----------
    methods : dict of str to type
        Classes of the methods, by their names.
    model : regressor
        The untrained model that they share.
    folds : list of Fold
        Where they are measured.
    cache : Path, optional
        Folder of the results that are finished.
    tell : callable
        Is told what comes next.

    Returns
    -------
    cells : dict of str to list of Cell
        For each method that finished, its results, fold by fold.
    lost : dict of str to str
        Why the other methods did not.

    Raises
    ------
    Exception
        Whatever the reference raises: without it, costs have no unit.
    """
    cells: dict[str, list[Cell]] = {name: [] for name in methods}
    lost: dict[str, str] = {}
    with _one_thread():
        for number, fold in enumerate(folds):
            for name, method in methods.items():
                if name in lost:
                    continue
                tell(f"fold {number + 1} of {len(folds)}: {name}")
                try:
                    cells[name].append(cached_cell(cache, method, model, fold))
                except Exception as error:  # of whatever kind: others go on, and it is reported
                    if name == REFERENCE:
                        raise
                    lost[name] = f"fold {number + 1}: {_reason(error)}"
    return {name: of_folds for name, of_folds in cells.items() if name not in lost}, lost


def _reason(error: Exception) -> str:
    """Say what went wrong, and on which line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message} ({Path(last.filename).name}, line {last.lineno})"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let libraries compute on one thread, so that costs can be compared."""
    torch = sys.modules.get("torch")  # not imported for this
    before = None if torch is None else torch.get_num_threads()
    try:
        if torch is not None:
            torch.set_num_threads(1)
        with threadpool_limits(1):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)
