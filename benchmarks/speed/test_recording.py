"""What recording errors costs while training, and fitting from a large log."""

import os
import resource
import time

import numpy as np
import pytest

from ltau import LTAUEstimator
from ltau.log import ErrorLog

torch = pytest.importorskip("torch")

from ltau.adapters.torch import ErrorRecorder  # noqa: E402

N_ROWS, WIDTH, N_PAIRS = 50_000, 256, 20


class TimedRecorder:
    """A recorder, and how long its calls took."""

    def __init__(self, *args):
        self._recorder = ErrorRecorder(*args)
        self.seconds = 0.0

    def record(self, ids, residuals):
        """Record a batch."""
        start = time.perf_counter()
        self._recorder.record(ids, residuals)
        self.seconds += time.perf_counter() - start

    def end_epoch(self):
        """Finish an epoch."""
        start = time.perf_counter()
        self._recorder.end_epoch()
        self.seconds += time.perf_counter() - start


def epoch(model, optimizer, batches, recorder=None):
    """Train for one epoch; give its time in seconds."""
    start = time.perf_counter()
    for ids, x, y in batches:
        residuals = model(x)[:, 0] - y
        optimizer.zero_grad()
        residuals.square().mean().backward()
        optimizer.step()
        if recorder is not None:
            recorder.record(ids, residuals)
    if recorder is not None:
        recorder.end_epoch()
    return time.perf_counter() - start


def test_recording(tmp_path):
    """Alternate epochs with and without recording: a 4-layer, 256-wide network, 50,000 rows."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(16, WIDTH), torch.nn.ReLU()]
    for _ in range(2):
        layers += [torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, 1))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(N_ROWS, 16)
    data = torch.arange(N_ROWS), x, x.sum(dim=1)
    batches = list(zip(*(part.split(256) for part in data), strict=True))
    with ErrorLog(tmp_path / "log", n_samples=N_ROWS) as log:
        recorder = TimedRecorder(N_ROWS, log)
        epoch(model, optimizer, batches, recorder)  # warm-up
        shares, ratios = [], []
        for pair in range(N_PAIRS):  # which comes first alternates: machines drift
            recorder.seconds, times = 0.0, {}
            for how in (None, recorder) if pair % 2 else (recorder, None):
                times[how] = epoch(model, optimizer, batches, how)
            shares.append(recorder.seconds / (times[recorder] - recorder.seconds))
            ratios.append(times[recorder] / times[None] - 1)
    for name, values in {"inside its calls": shares, "recorded over plain epochs": ratios}.items():
        low, middle, high = 100 * np.quantile(values, [0.25, 0.5, 0.75])
        print(f"\nrecording, {name}: {middle:+.1f} % [{low:+.1f}, {high:+.1f}]")
    print(f"of an epoch of {times[None]:.2f} s")


def test_fit_from_a_log(tmp_path):
    """Bin a log of 1,000,000 samples and 100 epochs, against reading its files."""
    n_samples, n_epochs = 1_000_000, 100
    rng = np.random.default_rng(0)
    level = rng.lognormal(-2, 1, n_samples).astype(np.float32)
    with ErrorLog(tmp_path / "log", n_samples) as log:
        for _ in range(n_epochs):
            log.record(np.arange(n_samples), level * rng.random(n_samples, dtype=np.float32))
            log.end_epoch()
    latents = rng.normal(size=(n_samples, 2)).astype(np.float32)
    reading = {cached: read(tmp_path / "log", cached) for cached in (False, True)}
    forget(tmp_path / "log")
    start = time.perf_counter()
    LTAUEstimator(burn_in=0.0, scaling="none", distance_scaling=0.0, index="flat").fit(latents, log)
    fitting = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\nfit from a log of {n_samples:,} x {n_epochs}: {fitting:.2f} s, "
        f"{fitting / reading[False]:.1f} times reading it from the disk, "
        f"{fitting / reading[True]:.1f} times reading it from the cache; "
        f"peak of the process {peak:.0f} MiB"
    )


def read(folder, cached):
    """Time reading every epoch of a log once, in seconds."""
    if not cached:
        forget(folder)
    start = time.perf_counter()
    for errors in ErrorLog(folder).epochs():
        np.array(errors)
    return time.perf_counter() - start


def forget(folder):
    """Ask the system to drop a log's files from its cache."""
    for file in folder.glob("*.npy"):
        with file.open() as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
