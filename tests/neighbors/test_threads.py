"""How many threads a search uses, and searches in forked processes, which have none."""

import os
import subprocess
import sys
import threading
import warnings
from textwrap import dedent

import faiss
import joblib
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ltau.neighbors import make_index, n_threads
from ltau.neighbors._products import nearest_by_products
from ltau.neighbors._threads import in_threads

# A child that waits for ever is killed, and counts as a failure. It takes `ltau` without what
# its __init__ imports, which takes more than a second.
PRELUDE = """
import importlib.util, multiprocessing, os, sys, threading, time
sys.modules["ltau"] = importlib.util.module_from_spec(importlib.util.find_spec("ltau"))
import faiss
import numpy as np
from ltau.neighbors import INDEX_CLASSES, make_index, n_threads

vectors = np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32)
queries = vectors[:200] + np.float32(0.1)

def forked(task):
    child = os.fork()
    if not child:
        status = 1
        try:
            task()
            status = 0
        finally:
            os._exit(status)
    for _ in range(400):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert status == 0, status
            return
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise SystemExit("a child waits for ever")
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def run(script):
    """Run a script with two threads of OpenMP."""
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + dedent(script)],
        env=os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
        check=True,
        timeout=300,
    )


@needs_fork
def test_forked_processes_find_the_same():
    run("""
        for kind in INDEX_CLASSES:
            index = make_index(kind, vectors)
            expected = index.search(queries, 10)
            assert faiss.omp_get_max_threads() == 2

            def search(n_jobs):
                with n_threads(n_jobs):
                    for found, wanted in zip(index.search(queries, 10), expected):
                        np.testing.assert_array_equal(found, wanted)

            for n_jobs in (None, 2, -1):
                forked(lambda: search(n_jobs))
            forked(lambda: forked(lambda: search(2)))
    """)


@needs_fork
def test_forked_processes_build_the_same():
    run("""
        expected = {kind: make_index(kind, vectors).to_arrays() for kind in INDEX_CLASSES}

        def build():
            for kind, arrays in expected.items():
                made = make_index(kind, vectors).to_arrays()
                assert all(np.array_equal(made[name], arrays[name]) for name in arrays), kind

        forked(build)
    """)


@needs_fork
def test_threads_of_a_forked_process_search():
    run("""
        index = make_index("ivf", vectors)
        expected = index.search(queries, 10)[1]

        def search():
            found = []
            def one():
                with n_threads(2):
                    found.append(index.search(queries, 10)[1])
            threads = [threading.Thread(target=one) for _ in range(3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert len(found) == 3 and all(np.array_equal(rows, expected) for rows in found)

        forked(search)
    """)


@needs_fork
def test_a_pool_of_forked_processes_searches():
    run("""
        index = make_index("flat", vectors)
        expected = index.search(queries, 10)[1]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            parts = pool.starmap_async(index.search, [(queries[i::4], 10) for i in range(4)])
            for i, (_, rows) in enumerate(parts.get(timeout=60)):
                np.testing.assert_array_equal(rows, expected[i::4])
    """)


@needs_fork
def test_a_fork_amid_a_search_leaves_neither_its_lock_nor_its_settings():
    run("""
        index = make_index("flat", vectors)
        settings = [faiss.cvar.distance_compute_blas_threshold,
                    faiss.cvar.distance_compute_blas_query_bs]
        stop = threading.Event()

        def search():
            while not stop.is_set():
                index.search(np.repeat(vectors, 5, axis=0), 10)

        def child():
            assert settings == [faiss.cvar.distance_compute_blas_threshold,
                                faiss.cvar.distance_compute_blas_query_bs]
            index.search(queries, 10)

        thread = threading.Thread(target=search)
        thread.start()
        try:
            for _ in range(5):
                forked(child)
        finally:
            stop.set()
            thread.join()
    """)


def test_threads_are_restored():
    before = faiss.omp_get_max_threads()
    with n_threads(1):
        assert faiss.omp_get_max_threads() == 1
    assert faiss.omp_get_max_threads() == before


def test_a_work_is_done_by_as_many_threads_as_are_asked_for():
    both = threading.Barrier(2, timeout=60)
    workers = set()

    def work():
        workers.add(threading.get_ident())
        both.wait()

    in_threads(work, 2)
    assert len(workers) == 2
    assert threading.get_ident() in workers


def test_a_work_is_done_where_no_other_thread_can_help():
    release, parts = threading.Event(), iter(range(100))
    done = []
    blockers = [threading.Thread(target=in_threads, args=[release.wait, 9]) for _ in range(8)]
    for blocker in blockers:
        blocker.start()
    try:
        in_threads(lambda: done.extend(parts), 4)
        assert done == list(range(100))
    finally:
        release.set()
        for blocker in blockers:
            blocker.join()


def test_what_a_helping_thread_raises_is_raised():
    caller, helped = threading.get_ident(), threading.Event()

    def work():
        if threading.get_ident() == caller:
            helped.wait(60)
        else:
            helped.set()
            raise MemoryError("of a helper")

    with pytest.raises(MemoryError, match="of a helper"):
        in_threads(work, 2)


@pytest.mark.parametrize("n_jobs", [1, 2, -1, -2, -1000, 10**6])
def test_jobs_are_joblibs_but_no_more_than_cores(n_jobs):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with n_threads(n_jobs):
            assert faiss.omp_get_max_threads() == min(cores, joblib.effective_n_jobs(n_jobs))


@pytest.mark.parametrize("threshold", [1, 20, None, 10**9])
@pytest.mark.parametrize("n_queries", [3, 40, 9000])
def test_whatever_users_set_of_faiss_neighbours_are_exact(threshold, n_queries):
    rng = np.random.default_rng(0)
    vectors = (300 + rng.normal(size=(200, 16))).astype(np.float32)  # products round by much
    queries = (300 + rng.normal(size=(n_queries, 16))).astype(np.float32)
    every = cdist(queries.astype(float), vectors.astype(float))
    before = faiss.cvar.distance_compute_blas_threshold
    try:
        faiss.cvar.distance_compute_blas_threshold = before if threshold is None else threshold
        found, rows = make_index("flat", vectors).search(queries, 10)
    finally:
        faiss.cvar.distance_compute_blas_threshold = before
    np.testing.assert_allclose(found, np.sort(every)[:, :10], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, rows, 1), found, rtol=1e-5)


@pytest.mark.parametrize(("n", "n_queries"), [(9, 20), (4096, 257), (4097, 600), (70_000, 17)])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_products_find_what_all_distances_have(n, n_queries, threads):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(n, 5)).astype(np.float32)
    queries = rng.normal(size=(n_queries, 5)).astype(np.float32)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        squared, rows = nearest_by_products(vectors, queries, 8)
    finally:
        faiss.omp_set_num_threads(before)
    every = cdist(queries.astype(float), vectors.astype(float), "sqeuclidean")
    np.testing.assert_allclose(squared, np.sort(every)[:, :8], atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(every, rows, 1), squared, atol=1e-4)
