"""A task for each of many systems, in processes of which any may die."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from joblib import Parallel, delayed
from tqdm.auto import tqdm

__all__ = ["for_each", "lost"]

_RESULT, _STARTED, _LOST = ".npz", ".started", ".lost"

Task = Callable[[str, Path], None]
"""Makes the result of a system, of the given name, in the file given."""


def for_each(task: Task, names: Sequence[str], folder: Path, n_jobs: int, unit: str) -> None:
    """Do a task for each system that has no result yet, several at once.

    A task that fails loses its system alone, also where its whole process dies. `lost` says why.
    The processes are joblib's, or those of the backend that was chosen by its `parallel_config`.

    Parameters
    ----------
    task : callable
        What is done: it is called with a name and the file to write. It can be sent to another
        process.
    names : sequence of str
        The systems.
    folder : Path
        Where the results are written, ``NAME.npz`` each.
    n_jobs : int
        Processes at once.
    unit : str
        What is done, for the progress bar.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"*{_STARTED}"):  # an earlier run was interrupted there
        path.unlink()
    with tqdm(total=len(names), desc=unit, unit="system") as bar:
        while waiting := _waiting(names, folder):
            bar.n = len(names) - len(waiting)
            bar.refresh()
            try:
                _run(task, waiting, folder, n_jobs, bar)
            except _deaths():
                for name in _started(folder):
                    _try_alone(task, name, folder)
        bar.n = len(names)
        bar.refresh()
    for name, reason in lost(names, folder).items():
        print(f"{name} is lost: {reason}")


def lost(names: Iterable[str], folder: Path) -> dict[str, str]:
    """Tell which systems were lost, and why."""
    paths = {name: folder / f"{name}{_LOST}" for name in names}
    return {name: path.read_text("utf-8") for name, path in paths.items() if path.is_file()}


def _waiting(names: Sequence[str], folder: Path) -> list[str]:
    return [
        name
        for name in names
        if not (folder / f"{name}{_RESULT}").is_file() and not (folder / f"{name}{_LOST}").is_file()
    ]


def _run(task: Task, names: Sequence[str], folder: Path, n_jobs: int, bar: tqdm) -> None:
    """Do the task for all; raises one of `_deaths` if a process dies."""
    jobs = (delayed(_guarded)(task, name, folder) for name in names)
    # Always in other processes, also one: this one must not die.
    for _ in Parallel(max(2, n_jobs), return_as="generator_unordered", pre_dispatch=n_jobs)(jobs):
        bar.update()


def _guarded(task: Task, name: str, folder: Path) -> None:
    """Do the task for one system, and note what goes wrong."""
    started = folder / f"{name}{_STARTED}"
    started.touch()
    try:
        task(name, folder / f"{name}{_RESULT}")
    except Exception as error:  # whatever it is, the other systems go on
        _note(name, folder, f"{type(error).__name__}: {error}")
    started.unlink()


def _started(folder: Path) -> list[str]:
    """Find the systems that were being worked on, and forget that they were."""
    paths = sorted(folder.glob(f"*{_STARTED}"))
    for path in paths:
        path.unlink()
    return [path.stem for path in paths]


def _try_alone(task: Task, name: str, folder: Path) -> None:
    """Do the task once more where no other one can be the reason for a death."""
    try:
        with tqdm(disable=True) as silent:
            _run(task, [name], folder, 1, silent)
    except _deaths():
        _started(folder)
        _note(name, folder, "The process that worked on it died.")


def _note(name: str, folder: Path, reason: str) -> None:
    (folder / f"{name}{_LOST}").write_text(reason, "utf-8")


def _deaths() -> tuple[type[BaseException], ...]:
    """Give the exceptions by which joblib, or Dask, says that a process died."""
    if "distributed" in sys.modules:
        from distributed import KilledWorker

        return BrokenProcessPool, KilledWorker
    return (BrokenProcessPool,)
