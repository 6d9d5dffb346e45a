"""What recording errors costs while training, and fitting from a large log."""

import resource
import time

import numpy as np
import pytest

from ltau import LTAUEstimator
from ltau.log import ErrorLog

torch = pytest.importorskip("torch")

from ltau.adapters.torch import ErrorRecorder  # noqa: E402

N_ROWS, WIDTH, N_PAIRS = 50_000, 256, 20


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
        recorder = ErrorRecorder(N_ROWS, log)
        epoch(model, optimizer, batches, recorder)  # warm-up
        times = {None: [], recorder: []}
        for pair in range(N_PAIRS):  # which comes first alternates: machines drift
            for how in (None, recorder) if pair % 2 else (recorder, None):
                times[how].append(epoch(model, optimizer, batches, how))
    plain, recorded = np.array(times[None]), np.array(times[recorder])
    low, middle, high = 100 * (np.quantile(recorded / plain, [0.25, 0.5, 0.75]) - 1)
    print(
        f"\nrecording: {middle:+.1f} % [{low:+.1f}, {high:+.1f}] of an epoch of "
        f"{np.median(plain):.2f} s"
    )


def test_fit_from_a_log(tmp_path):
    """Bin a log of 1,000,000 samples and 100 epochs, against reading its files."""
    n_samples, n_epochs = 1_000_000, 100
    rng = np.random.default_rng(0)
    level = rng.lognormal(-2, 1, n_samples).astype(np.float32)
    with ErrorLog(tmp_path / "log", n_samples) as log:
        for _ in range(n_epochs):
            log.record(np.arange(n_samples), level * rng.random(n_samples, dtype=np.float32))
            log.end_epoch()
    start = time.perf_counter()
    for errors in log.epochs():
        np.array(errors)
    reading = time.perf_counter() - start
    start = time.perf_counter()
    LTAUEstimator(index="flat").fit(rng.normal(size=(n_samples, 2)), log)
    fitting = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\nfit from a log of {n_samples:,} x {n_epochs}: {fitting:.2f} s, "
        f"{fitting / reading:.1f} times reading it; peak of the process {peak:.0f} MiB"
    )
