"""What recording errors costs while training, and fitting from a large log."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.timing import peak_bytes, wall_seconds
from ltau import LTAUEstimator
from ltau.log import ErrorLog

pytest.importorskip("torch")

import torch

from ltau.adapters.torch import ErrorRecorder

N_ROWS, WIDTH = 50_000, 256
N_EPOCHS, N_TOGETHER = 40, 7  # batches, of which every other part is recorded

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def train(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    recorder: ErrorRecorder | None,
) -> None:
    """Train on some batches."""
    for ids, x, y in batches:
        residuals = model(x)[:, 0] - y
        optimizer.zero_grad()
        residuals.square().mean().backward()
        optimizer.step()
        if recorder is not None:
            recorder.record(ids, residuals)


def test_recording(tmp_path: Path) -> None:
    """Record every other part of an epoch: a 4-layer, 256-wide network, 50,000 rows.

    What a part costs is compared with the plain ones before and after it, for the speed of
    machines drifts within an epoch. What `end_epoch` takes is added.
    """
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = [torch.nn.Linear(16, WIDTH), torch.nn.ReLU()]
    for _ in range(2):
        layers += [torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, 1))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(N_ROWS, 16)
    data = torch.arange(N_ROWS), x, x.sum(dim=1)
    batches = list(zip(*(part.split(256) for part in data), strict=True))
    parts = [batches[i : i + N_TOGETHER] for i in range(0, len(batches), N_TOGETHER)]
    parts = [part for part in parts if len(part) == N_TOGETHER]
    with ErrorLog(tmp_path / "log", n_samples=N_ROWS) as log:
        recorder = ErrorRecorder(N_ROWS, log)
        train(model, optimizer, batches, recorder)  # warm-up
        recorder.end_epoch()
        seconds = np.empty((N_EPOCHS, len(parts)))
        ends = []
        for epoch in range(N_EPOCHS):
            for number, part in enumerate(parts):
                uses = recorder if (number + epoch) % 2 else None
                seconds[epoch, number] = wall_seconds(partial(train, model, optimizer, part, uses))[
                    1
                ]
            ends.append(wall_seconds(recorder.end_epoch)[1])
    recorded = np.add.outer(np.arange(N_EPOCHS), np.arange(len(parts)))[:, 1:-1] % 2 == 1
    ratios = seconds[:, 1:-1] / ((seconds[:, :-2] + seconds[:, 2:]) / 2)
    cost = (np.median(ratios[recorded]) / np.median(ratios[~recorded])) ** 0.5 - 1
    resampled = [
        (
            np.median(rng.choice(ratios[recorded], recorded.sum()))
            / np.median(rng.choice(ratios[~recorded], (~recorded).sum()))
        )
        ** 0.5
        - 1
        for rng in np.random.default_rng(0).spawn(1000)
    ]
    low, high = 100 * np.quantile(resampled, [0.025, 0.975])
    length = np.median(seconds) * len(batches) / N_TOGETHER
    end = 100 * np.median(ends) / length
    print(
        f"\nrecording costs {100 * cost + end:.1f} % of an epoch of {length:.2f} s: of the steps "
        f"{100 * cost:.1f} % [{low:.1f}, {high:.1f}], and end_epoch {end:.1f} %"
    )


def test_fit_from_a_log(tmp_path: Path) -> None:
    """Bin a log of 1,000,000 samples and 100 epochs, against reading its files."""
    n_samples, n_epochs = 1_000_000, 100
    rng = np.random.default_rng(0)
    level = rng.lognormal(-2, 1, n_samples).astype(np.float32)
    with ErrorLog(tmp_path / "log", n_samples) as log:
        for _ in range(n_epochs):
            log.record(np.arange(n_samples), level * rng.random(n_samples, dtype=np.float32))
            log.end_epoch()
    latents = rng.normal(size=(n_samples, 4)).astype(np.float32)
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
