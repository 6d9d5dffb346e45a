"""What several tests share: real data, where it is, and a fitted estimator."""

import gc
import os
import shutil
import tracemalloc
from pathlib import Path

# Processes that share the tests share the cores, which is said before a library starts threads.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    n_threads = max(1, os.cpu_count() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))

import hypothesis
import numpy as np
import pytest

# The same examples in every run; how long one takes depends on what else the machine does.
hypothesis.settings.register_profile("ltau", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ltau")

ROOT = Path(__file__).resolve().parents[1]

# Tests that share what takes long to make, or take long themselves: one process has all of a
# line, so that a training, a cluster or a run is made once. They are handed out first.
TOGETHER = (
    "tests/adapters/dask/",
    "tests/adapters/mace/test_page.py",
    "tests/adapters/mace/test_recorder.py",
    "tests/adapters/mace/",
    "tests/adapters/nequip/",
    "tests/adapters/test_sevennet.py",
    "tests/benchmarks/is2rs/",
    "tests/backends/",
    "tests/benchmarks/ood/",
    "tests/benchmarks/regression/",
    "tests/comparison/",
    "tests/demo/test_diamonds.py",
    "tests/demo/test_nequip.py",
    "tests/examples/",
    "tests/faults/test_forged_files.py",
    "tests/test_docs.py",
)


_USUAL = gc.get_threshold()


def pytest_collection():
    """Look for garbage less often while modules are imported, which leaves little."""
    gc.set_threshold(100_000, 20, 50)


def pytest_collection_finish():
    """Keep what was imported and collected out of the collector's way: it stays to the end."""
    gc.set_threshold(*_USUAL)
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist, tests run in one process
def pytest_xdist_make_scheduler(config, log):
    """Hand out the tests of a line of `TOGETHER` as one, and all others one by one."""
    from xdist.scheduler import LoadScopeScheduling

    missing = [part for part in TOGETHER if not (ROOT / part).exists()]
    if missing:
        raise pytest.UsageError(f"TOGETHER of tests/conftest.py names what is not there: {missing}")

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return next((part for part in TOGETHER if nodeid.startswith(part)), nodeid)

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def data_dir():
    """Folder of real data; the test is skipped where there is none."""
    folder = Path(os.environ.get("LTAU_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set LTAU_DATA")
    return folder


@pytest.fixture(scope="module")  # while it is open, a loop of events runs in this thread
def chromium():
    """A browser, the system's own or that of LTAU_CHROMIUM; `make test-browser` needs one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright")
    names = "chromium", "chromium-browser", "google-chrome", "chrome"
    path = os.environ.get("LTAU_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium: install it, or set LTAU_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def acac(data_dir):
    """Latents and per-atom force errors (eV/Å) of a small NequIP model, set by set."""
    folder = data_dir / "acac_nequip"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return {path.stem: np.load(path) for path in folder.glob("*.npz")}


@pytest.fixture(scope="session")
def peak_of():
    """Call something, and give what it returns and its peak of memory in bytes.

    It is called three times, and the least peak counts: threads of others, as that by which a
    worker of pytest-xdist hears what is next, may take memory meanwhile.
    """

    def measured(call, *args, **options):
        peaks = []
        for _ in range(3):
            tracemalloc.start()
            try:
                result = call(*args, **options)
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        return result, min(peaks)

    return measured


@pytest.fixture(scope="session")
def growth_of():
    """Call something four times, and give the least growth of memory from call to call, in bytes.

    A leak grows each time; threads of others seldom do, and garbage is collected before.
    """

    def measured(call):
        held = []
        tracemalloc.start()
        try:
            for _ in range(4):
                call()
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        return np.diff(held).min()

    return measured


@pytest.fixture
def trajectories():
    """Latents, and trajectories of errors that grow along the first of them."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(300, 4)).astype(np.float32)
    errors = rng.exponential(np.exp(latents[:, :1]), size=(300, 20)).astype(np.float32)
    return latents, errors


@pytest.fixture
def path(tmp_path):
    """Where a test may save an estimator."""
    return tmp_path / "model.ltau"
