"""A cluster of two processes, and data in blocks."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed")

import dask
import dask.array as da
from distributed import Client, LocalCluster

FOLDER = Path(__file__).parent
CLUSTER = pytest.StashKey()

# Idle, a cluster looks less often at itself than Dask's usual 50 times a second.
QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}


def start():
    """Start a cluster of two worker processes, on ports of its own."""
    with dask.config.set(QUIET):
        return LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            protocol="tcp",
        )


@pytest.fixture(scope="session")
def cluster(request):
    """One for all tests that leave it as it is: its workers import anew what is slow to."""
    with start() as cluster:
        request.session.stash[CLUSTER] = cluster
        yield cluster


@pytest.hookimpl(trylast=True)  # after the client is closed
def pytest_runtest_teardown(item, nextitem):
    """Close the cluster after the last test of this folder: tests of memory hear its threads."""
    if nextitem is None or FOLDER not in nextitem.path.parents:
        cluster = item.session.stash.get(CLUSTER, None)
        if cluster is not None:
            cluster.close()


@pytest.fixture(scope="module")
def client(cluster):
    with Client(cluster) as client:
        yield client


@pytest.fixture
def own_client():
    """A cluster of the test alone, which may harm it."""
    with start() as cluster, Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="session")
def samples():
    """Latents, errors with gaps and strata of 600 training samples, and 150 queries."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(5, 5))
    latents = (rng.normal(size=(750, 5)) @ mixing + 3).astype(np.float32)
    errors = rng.exponential(np.exp(latents[:600, :1] / 4), size=(600, 30)).astype(np.float32)
    errors[rng.random(errors.shape) < 0.1] = np.nan
    strata = rng.choice([1, 6, 8], size=750, p=[0.5, 0.3, 0.2])
    return latents[:600], errors, strata[:600], latents[600:], strata[600:]


def slowly(array, seconds):
    """The same array, whose blocks take a while to load."""

    def load(block):
        time.sleep(seconds)
        return block

    return array.map_blocks(load, dtype=array.dtype, meta=array._meta)


def kill_workers(client, n):
    """Kill so many worker processes, as machines that go away would."""
    for pid in list(client.run(os.getpid).values())[:n]:
        os.kill(pid, signal.SIGKILL)


def blocks(array, rows=40):
    """The array in blocks of rows, the last of which is smaller."""
    return da.from_array(array, chunks=(rows, *array.shape[1:]))


@pytest.fixture(scope="session")
def in_blocks():
    return blocks


@pytest.fixture(scope="session")
def loaded_slowly():
    return slowly


@pytest.fixture(scope="session")
def kill():
    return kill_workers
