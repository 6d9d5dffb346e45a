"""How many threads a search uses, and threads of our own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache

import faiss
from joblib import effective_n_jobs

__all__ = ["in_threads", "n_threads"]

_forked = False


def n_threads(n_jobs: int | None) -> AbstractContextManager[None]:
    """Let faiss use `n_jobs` threads for a while; None leaves the number to OpenMP.

    There are never more than the process has cores. The number is that of the calling thread:
    others, and what they search, keep theirs.

    In a forked process it is one: OpenMP's threads stay in the parent, and waiting for them
    would never end.
    """
    if n_jobs is None and not _forked:
        return nullcontext()
    return _Threads(1 if _forked or n_jobs is None else _threads_of(n_jobs))


class _Threads:
    """A number of threads for a while; a generator would take longer than to set it does."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __enter__(self) -> None:
        self._before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(self._n)

    def __exit__(self, *_: object) -> None:
        faiss.omp_set_num_threads(self._before)


def in_threads(work: Callable[[], object], n: int) -> None:
    """Let up to `n` threads do a work at once, the calling one among them.

    Parameters
    ----------
    work : callable
        Takes parts of what is to do until nothing is left; so it is done whether or not there
        are other threads that help. What it raises, in any of them, is raised here.
    n : int
        Number of threads.
    """
    helping: list[Future[object]] = []
    with suppress(RuntimeError):  # while the interpreter ends it starts no threads
        while len(helping) < n - 1:
            helping.append(_helpers.submit(work))
    work()
    for helper in helping:
        if not helper.cancel():  # one that has not begun is not needed any more
            helper.result()


def _n_cores() -> int:
    """Count the cores that the process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads_of(n_jobs: int) -> int:
    """Give the threads of a number of jobs, as joblib understands it."""
    if n_jobs == 1:  # every process has a core: nobody need be asked
        return 1
    wanted, cores = int(effective_n_jobs(n_jobs)), _n_cores()
    if wanted > cores:
        _say_clamped(n_jobs, cores)
    return min(wanted, cores)


@cache  # once is enough
def _say_clamped(n_jobs: int, cores: int) -> None:
    warnings.warn(
        f"n_jobs is {n_jobs}, and this process has {cores} cores: it uses {cores} threads.",
        stacklevel=2,
    )


def _make_helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_n_cores(), "ltau")  # starts threads when they are needed


def _use_one_thread() -> None:
    global _forked, _helpers
    _forked = True
    faiss.omp_set_num_threads(1)
    _helpers = _make_helpers()  # those of the parent are not here; their lock may be held


_helpers = _make_helpers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)
