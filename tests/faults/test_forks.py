"""Processes forked after use, and amid it: none hangs, and all give their parent's numbers.

OpenMP's threads stay behind in the parent, and so does what a thread was about to give back.
"""

import json
import os

import pytest

from .children import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

# A process that waits for ever is killed, and counted.
PRELUDE = """
import json, multiprocessing, threading, time
from ltau.estimator import LTAUEstimator
from ltau.neighbors import INDEX_CLASSES

rng = np.random.default_rng(0)
latents, errors = rng.normal(size=(3000, 8)), np.abs(rng.normal(size=(3000, 10)))
queries = latents[:200] + 0.1
kinds = [*INDEX_CLASSES, "auto"]
models = {kind: LTAUEstimator(index=kind, n_neighbors=10).fit(latents, errors) for kind in kinds}
counts = {"forks": 0, "hung": 0, "wrong": 0}

def predict(kind, n_jobs=None, rows=slice(None)):
    model = models[kind].set_params(n_jobs=n_jobs)
    return model.predict(queries[rows]), model.ood_score(queries[rows])

expected = {kind: predict(kind) for kind in kinds}

def is_right(kind, found, rows=slice(None)):
    return all(np.array_equal(f, e[rows]) for f, e in zip(found, expected[kind]))

def fork(task, seconds=15):
    counts["forks"] += 1
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if task() else 1
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            counts["wrong"] += status != 0
            return
        time.sleep(0.002)
    os.kill(child, 9)
    os.waitpid(child, 0)
    counts["hung"] += 1
"""

AFTER_USE = """
for round in range(int(sys.argv[1])):
    for kind in kinds:
        n_jobs = (None, 2, -1)[round % 3]
        predict(kind, n_jobs)
        fork(lambda: is_right(kind, predict(kind, n_jobs)))
print(json.dumps(counts))
"""

AMID_USE = """
for kind in kinds:
    stop = threading.Event()
    def use():
        while not stop.is_set():
            predict(kind)
    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads: thread.start()
    for _ in range(int(sys.argv[1])):
        fork(lambda: is_right(kind, predict(kind)))
    stop.set()
    for thread in threads: thread.join()
print(json.dumps(counts))
"""

THREADS_OF_A_CHILD = """
def predict_in_threads():
    results = []
    def one(kind):
        results.append(is_right(kind, predict(kind, 2)))
    threads = [threading.Thread(target=one, args=[kind]) for kind in kinds]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return len(results) == len(kinds) and all(results)

fork(predict_in_threads)
fork(lambda: [fork(predict_in_threads), not counts["hung"] + counts["wrong"]][1])
print(json.dumps(counts))
"""

POOL = """
with multiprocessing.get_context("fork").Pool(2) as pool:
    tasks = [(kind, 2, slice(i, None, 4)) for kind in kinds for i in range(4)]
    found = pool.starmap_async(predict, tasks, chunksize=1).get(timeout=40)
counts["wrong"] = sum(not is_right(t[0], f, t[2]) for t, f in zip(tasks, found))
counts["forks"] = 2
print(json.dumps(counts))
"""

DATA_LOADER = """
import torch
class Predicted(torch.utils.data.Dataset):
    def __len__(self):
        return len(kinds)
    def __getitem__(self, i):
        return i, is_right(kinds[i], predict(kinds[i], 2))
loader = torch.utils.data.DataLoader(
    Predicted(), batch_size=None, num_workers=2, timeout=20, multiprocessing_context="fork")
found = dict(loader)
counts["forks"] = 2
counts["wrong"] = sum(not found[i] for i in range(len(kinds)))
print(json.dumps(counts))
"""


def check(script, *arguments, limit=60):
    """Run a script with two threads of OpenMP: no process hangs, and none is wrong."""
    counts = json.loads(run(PRELUDE + script, *arguments, limit=limit, threads=2))
    print(f"\n{counts}")
    assert counts["forks"]
    assert (counts["hung"], counts["wrong"]) == (0, 0)


def test_processes_forked_after_use_predict_the_same():
    check(AFTER_USE, 3)


def test_processes_forked_amid_use_predict_the_same():
    check(AMID_USE, 3)


def test_threads_of_a_forked_process_predict_the_same():
    check(THREADS_OF_A_CHILD)


def test_a_pool_predicts_the_same():
    check(POOL)


def test_workers_of_a_data_loader_predict_the_same():
    pytest.importorskip("torch")
    check(DATA_LOADER)


@pytest.mark.long_attack
def test_many_processes_forked_after_use_predict_the_same():
    check(AFTER_USE, 50, limit=600)


@pytest.mark.long_attack
def test_many_processes_forked_amid_use_predict_the_same():
    check(AMID_USE, 50, limit=600)
