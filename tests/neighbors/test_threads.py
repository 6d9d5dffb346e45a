"""Searches in forked processes, which have none of their parent's threads."""

import os
import subprocess
import sys
from textwrap import dedent

import faiss
import pytest

from ltau.neighbors import n_threads

# A child that waits for ever is killed, and counts as a failure.
PRELUDE = """
import multiprocessing, os, threading, time
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

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def run(script):
    """Run a script with two threads of OpenMP."""
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + dedent(script)],
        env=os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
        check=True,
        timeout=300,
    )


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


def test_forked_processes_build_the_same():
    run("""
        expected = {kind: make_index(kind, vectors).to_arrays() for kind in INDEX_CLASSES}

        def build():
            for kind, arrays in expected.items():
                made = make_index(kind, vectors).to_arrays()
                assert all(np.array_equal(made[name], arrays[name]) for name in arrays), kind

        forked(build)
    """)


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


def test_a_pool_of_forked_processes_searches():
    run("""
        index = make_index("flat", vectors)
        expected = index.search(queries, 10)[1]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            parts = pool.starmap_async(index.search, [(queries[i::4], 10) for i in range(4)])
            for i, (_, rows) in enumerate(parts.get(timeout=60)):
                np.testing.assert_array_equal(rows, expected[i::4])
    """)


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
