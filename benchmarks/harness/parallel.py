"""Tasks in many processes, each of one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

import torch
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

__all__ = ["one_thread", "pool", "run_all"]

T = TypeVar("T")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and the libraries of linear algebra compute on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def run_all(
    task: Callable[..., T], arguments: Sequence[tuple[Any, ...]], n_jobs: int, unit: str
) -> list[T]:
    """Do a task with each of some arguments, several at once.

    Parameters
    ----------
    task : callable
        What is done. It can be sent to another process.
    arguments : sequence of tuple
        With what it is called, each time.
    n_jobs : int
        Processes at once, each of one thread; 1 is this process.
    unit : str
        What one call does, for the progress bar.

    Returns
    -------
    list
        The results, in the order of the arguments.
    """
    with tqdm(total=len(arguments), unit=unit) as progress:
        if n_jobs == 1:
            results = []
            for each in arguments:
                results.append(_alone(task, *each))
                progress.update()
            return results
        with pool(n_jobs) as processes:
            futures = [processes.submit(_alone, task, *each) for each in arguments]
            for future in as_completed(futures):
                future.result()
                progress.update()
        return [future.result() for future in futures]


def _alone(task: Callable[..., T], *arguments: Any) -> T:
    with one_thread():
        return task(*arguments)


def pool(n_jobs: int) -> ProcessPoolExecutor:
    """Make so many processes, which begin anew: torch survives no fork."""
    return ProcessPoolExecutor(n_jobs, get_context("spawn"))
