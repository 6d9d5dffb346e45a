"""A task for each of many systems, in processes of which any may die."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from benchmarks.harness.parallel import pool

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["for_each", "lost"]

_RESULT, _STARTED, _LOST = ".npz", ".started", ".lost"
_DEATH = "The process that worked on it died."

Task = Callable[[str, Path], None]
"""Makes the result of a system, of the given name, in the file given."""


def for_each(
    task: Task, names: Sequence[str], folder: Path, workers: int | Client, unit: str
) -> None:
    """Do a task for each system that has no result yet, several at once.

    A task that fails loses its system alone, also where its whole process dies. `lost` says why.

    Parameters
    ----------
    task : callable
        What is done: it is called with a name and the file to write. It can be sent to another
        process.
    names : sequence of str
        The systems.
    folder : Path
        Where the results are written, ``NAME.npz`` each.
    workers : int or distributed.Client
        Processes at once, of this machine; or a Dask cluster, whose workers see the same folder.
    unit : str
        What is done, for the progress bar.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"*{_STARTED}"):  # an earlier run was interrupted there
        path.unlink()
    with tqdm(total=len(names), desc=unit, unit="system") as bar:
        if isinstance(workers, int):
            _by_processes(task, names, folder, workers, bar)
        else:
            _by_cluster(task, names, folder, workers, bar)
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


def _by_processes(
    task: Task, names: Sequence[str], folder: Path, n_jobs: int, bar: tqdm[object]
) -> None:
    while waiting := _waiting(names, folder):
        bar.update(len(names) - len(waiting) - bar.n)
        try:
            _run(task, waiting, folder, n_jobs, bar)
        except BrokenProcessPool:
            for name in _started(folder):
                _try_alone(task, name, folder)
    bar.update(len(names) - bar.n)


def _by_cluster(
    task: Task, names: Sequence[str], folder: Path, client: Client, bar: tqdm[object]
) -> None:
    """Do the task for all; Dask itself tries again what was running where a worker died."""
    from distributed import as_completed as completed

    waiting = _waiting(names, folder)
    bar.update(len(names) - len(waiting))
    futures = client.map(partial(_guarded, task, folder), waiting, pure=False)
    of = dict(zip(futures, waiting, strict=True))
    for future in completed(futures):
        if future.status == "error":
            _note(of[future], folder, _DEATH)
        bar.update()
    _started(folder)


def _run(task: Task, names: Sequence[str], folder: Path, n_jobs: int, bar: tqdm[object]) -> None:
    """Do the task for all; raises BrokenProcessPool if a process dies."""
    with pool(n_jobs) as processes:
        futures = [processes.submit(_guarded, task, folder, name) for name in names]
        for future in as_completed(futures):
            future.result()
            bar.update()


def _guarded(task: Task, folder: Path, name: str) -> None:
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
    except BrokenProcessPool:
        _started(folder)
        _note(name, folder, _DEATH)


def _note(name: str, folder: Path, reason: str) -> None:
    (folder / f"{name}{_LOST}").write_text(reason, "utf-8")
