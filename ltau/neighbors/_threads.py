"""How many threads a search uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import faiss
from joblib import effective_n_jobs

__all__ = ["n_threads"]


@contextmanager
def n_threads(n_jobs: int | None) -> Iterator[None]:
    """Let faiss use `n_jobs` threads for a while; None leaves the number to OpenMP."""
    if n_jobs is None:
        yield
        return
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(effective_n_jobs(n_jobs))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
