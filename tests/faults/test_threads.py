"""Searches in several threads, and those of others beside them: nothing of theirs is changed."""

import json
import os

import pytest

from .children import run

PRELUDE = """
import atexit, json, threading
import faiss
from ltau.neighbors import INDEX_CLASSES, make_index, n_threads

rng = np.random.default_rng(0)
vectors = rng.normal(size=(4000, 16)).astype(np.float32)
queries = vectors[:500] + np.float32(0.1)
kinds = [*INDEX_CLASSES, "auto"]

def beside(work, others):
    # Work while other threads do something again and again.
    stop = threading.Event()
    def repeat(other):
        while not stop.is_set():
            other()
    threads = [threading.Thread(target=repeat, args=[other]) for other in others]
    for thread in threads: thread.start()
    try:
        return work()
    finally:
        stop.set()
        for thread in threads: thread.join()
"""

SETTINGS = """
names = ["blas_threshold", "blas_query_bs", "blas_database_bs", "min_k_reservoir"]
names = ["distance_compute_" + name for name in names]
seen = set()

def look():
    seen.add((*(getattr(faiss.cvar, name) for name in names), faiss.omp_get_max_threads()))

look()
indices = [make_index(kind, vectors) for kind in kinds]
def search():
    for index in indices:
        for n_jobs in (None, 1, 2):
            with n_threads(n_jobs):
                index.search(queries, 10)
                index.search(queries[:3], 10)
                index.search_others(np.arange(50), 10)
beside(lambda: [search() for _ in range(3)], [look])
beside(lambda: [make_index(kind, vectors) for kind in kinds], [look])
print(json.dumps(len(seen)))
"""

# Far from the origin products are rounded by more than neighbours differ.
USERS_OWN = """
far = vectors + np.float32(300)
own = faiss.IndexFlatL2(16)
own.add(far)
ours = make_index("flat", vectors)
alone = own.search(far[:100], 10)[1]
ours_alone = ours.search(queries, 10)
changed = 0
ours_right = []

def search_ours():
    found = ours.search(queries, 10)
    ours_right.append(all(map(np.array_equal, found, ours_alone)))

def search_own():
    global changed
    for _ in range(int(sys.argv[1])):
        changed += not np.array_equal(own.search(far[:100], 10)[1], alone)

beside(search_own, [search_ours])
print(json.dumps([changed, len(ours_right), sum(ours_right)]))
"""

AT_ONCE = """
indices = [make_index(kind, vectors) for kind in kinds]
expected = [index.search(queries, 10) for index in indices]
wrong = []
def searcher(n_jobs):
    def search():
        for index, wanted in zip(indices, expected):
            with n_threads(n_jobs):
                found = index.search(queries, 10)
            wrong.append(not all(map(np.array_equal, found, wanted)))
    return search
for n_jobs in (None, 1, 2):
    beside(lambda: [searcher(n_jobs)() for _ in range(int(sys.argv[1]))], map(searcher, (1, 2, -1)))
print(json.dumps([len(wrong), sum(wrong)]))
"""

# A search that waited for the long one would end after it.
NOT_ONE_AFTER_THE_OTHER = """
many = rng.normal(size=(100_000, 32)).astype(np.float32)
index = make_index("flat", many)
begun = threading.Event()
def long():
    begun.set()
    index.search(many[:10_000], 10)
thread = threading.Thread(target=long)
thread.start()
begun.wait()
threading.Event().wait(0.05)
index.search(many[:1], 10)
index.search(many[:20], 10)
print(json.dumps(thread.is_alive()))
thread.join()
"""

# The interpreter starts no threads by then.
AT_EXIT = """
index = make_index("flat", vectors)
def last():
    index.search(queries, 10)
    print(json.dumps("found"))
atexit.register(last)
"""

MANY_JOBS = """
import warnings
from pathlib import Path
from ltau.estimator import LTAUEstimator
path = sys.argv[1]
latents, errors = rng.normal(size=(300, 4)), np.abs(rng.normal(size=(300, 5)))
model = LTAUEstimator(n_neighbors=5).fit(latents, errors)
expected = model.predict(latents)
model.set_params(n_jobs=10**6).save(path)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    loaded = LTAUEstimator.load(path)
    same = [np.array_equal(loaded.predict(latents), expected) for _ in range(3)]
    loaded.ood_threshold()
print(json.dumps([len(os.listdir("/proc/self/task")), all(same), [str(w.message) for w in caught]]))
"""


def answer(script, *arguments, limit=60):
    """Run a script with two threads of OpenMP, and read what it prints."""
    return json.loads(run(PRELUDE + script, *arguments, limit=limit, threads=2))


def test_settings_of_the_process_are_never_others():
    assert answer(SETTINGS) == 1


def check_users_own(n):
    changed, searched, right = answer(USERS_OWN, n, limit=600)
    print(f"\n{n} searches of a user's index, {changed} changed; {searched} of ours beside them")
    assert changed == 0
    assert searched == right > 0


def test_a_users_own_index_finds_the_same_beside_ours():
    check_users_own(60)


@pytest.mark.long_attack
def test_a_users_own_index_finds_the_same_beside_many_of_ours():
    check_users_own(5000)


def check_at_once(n):
    searched, wrong = answer(AT_ONCE, n, limit=600)
    print(f"\n{searched} searches in four threads, {wrong} wrong")
    assert wrong == 0


def test_threads_find_the_same_at_once():
    check_at_once(3)


@pytest.mark.long_attack
def test_threads_find_the_same_at_once_many_times():
    check_at_once(100)


def test_a_search_does_not_wait_for_another():
    assert answer(NOT_ONE_AFTER_THE_OTHER)


def test_what_is_searched_while_the_interpreter_ends_is_found():
    assert answer(AT_EXIT) == "found"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="of Linux")
def test_a_file_with_a_million_jobs_gets_the_cores_there_are(tmp_path):
    n_tasks, same, messages = answer(MANY_JOBS, tmp_path / "model.ltau")
    assert n_tasks < 100
    assert same
    assert len(messages) == 1
    assert "n_jobs is 1000000, and this process has " in messages[0]
