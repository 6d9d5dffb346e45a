"""How many threads a search uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import faiss
from joblib import effective_n_jobs

__all__ = ["n_threads"]

_forked = False


@contextmanager
def n_threads(n_jobs: int | None) -> Iterator[None]:
    """Let faiss use `n_jobs` threads for a while; None leaves the number to OpenMP.

    In a forked process it is one: OpenMP's threads stay behind in the parent, and whoever
    counts on them waits for ever.
    """
    if n_jobs is None:
        yield
        return
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1 if _forked else int(effective_n_jobs(n_jobs)))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _use_one_thread() -> None:
    global _forked
    _forked = True
    faiss.omp_set_num_threads(1)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_use_one_thread)
