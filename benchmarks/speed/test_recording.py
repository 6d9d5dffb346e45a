"""What recording errors costs while training, and fitting from a large log."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.timing import peak_bytes, quartiles, wall_seconds
from ltau import LTAUEstimator
from ltau.log import ErrorLog

pytest.importorskip("torch")

import torch

from ltau.adapters.torch import ErrorRecorder

N_ROWS, WIDTH, N_PAIRS = 50_000, 256, 20

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class TimedRecorder:
    """A recorder, and how long its calls took."""

    def __init__(self, n_samples: int, log: ErrorLog) -> None:
        self._recorder = ErrorRecorder(n_samples, log)
        self.seconds = 0.0

    def record(self, ids: torch.Tensor, residuals: torch.Tensor) -> None:
        """Record a batch."""
        self.seconds += wall_seconds(lambda: self._recorder.record(ids, residuals))[1]

    def end_epoch(self) -> None:
        """Finish an epoch."""
        self.seconds += wall_seconds(self._recorder.end_epoch)[1]


def epoch(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    recorder: TimedRecorder | None = None,
) -> float:
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


def test_recording(tmp_path: Path) -> None:
    """Alternate epochs with and without recording: a 4-layer, 256-wide network, 50,000 rows."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = [torch.nn.Linear(16, WIDTH), torch.nn.ReLU()]
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
            recorder.seconds = 0.0
            times: dict[TimedRecorder | None, float] = {}
            for how in (None, recorder) if pair % 2 else (recorder, None):
                times[how] = epoch(model, optimizer, batches, how)
            shares.append(recorder.seconds / (times[recorder] - recorder.seconds))
            ratios.append(times[recorder] / times[None] - 1)
    for name, values in {"inside its calls": shares, "recorded over plain epochs": ratios}.items():
        low, middle, high = quartiles(100 * np.array(values))
        print(f"\nrecording, {name}: {middle:+.1f} % [{low:+.1f}, {high:+.1f}]")
    print(f"of an epoch of {times[None]:.2f} s")


def test_fit_from_a_log(tmp_path: Path) -> None:
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
    estimator = LTAUEstimator(burn_in=0.0, scaling="none", distance_scaling=0.0, index="flat")
    _, fitting = wall_seconds(lambda: estimator.fit(latents, log))
    print(
        f"\nfit from a log of {n_samples:,} x {n_epochs}: {fitting:.2f} s, "
        f"{fitting / reading[False]:.1f} times reading it from the disk, "
        f"{fitting / reading[True]:.1f} times reading it from the cache; "
        f"peak of the process {peak_bytes() / 2**20:.0f} MiB"
    )


def read(folder: Path, cached: bool) -> float:
    """Time reading every epoch of a log once, in seconds."""
    if not cached:
        forget(folder)
    return wall_seconds(lambda: [np.array(errors) for errors in ErrorLog(folder).epochs()])[1]


def forget(folder: Path) -> None:
    """Ask the system to drop a log's files from its cache."""
    for file in folder.glob("*.npy"):
        with file.open() as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
