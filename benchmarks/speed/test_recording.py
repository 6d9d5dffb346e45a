"""What recording errors costs while training, and fitting from a large log."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.harness.data import data_folder
from benchmarks.harness.timing import peak_bytes, wall_seconds
from ltau import LTAUEstimator
from ltau.log import ErrorLog

pytest.importorskip("torch")

import torch

from ltau.adapters.torch import ErrorRecorder

N_ROWS, WIDTH = 50_000, 256
N_EPOCHS, N_TOGETHER = 40, 7  # batches, of which every other part is recorded

Floats = NDArray[np.floating]
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
    """Bin logs of 1,000,000 samples and 100 epochs, of 32 and 16 bits, against reading them."""
    n_samples, n_epochs = 1_000_000, 100
    rng = np.random.default_rng(0)
    level = rng.lognormal(-2, 1, n_samples).astype(np.float32)
    errors = (level * rng.random(n_samples, dtype=np.float32) for _ in range(n_epochs))
    logs = write_both(tmp_path, n_samples, errors)
    latents = rng.normal(size=(n_samples, 4)).astype(np.float32)
    estimators = []
    for log in logs:
        reading = {cached: read(log.path, cached) for cached in (False, True)}
        forget(log.path)
        estimator = LTAUEstimator(burn_in=0.0, scaling="none", distance_scaling=0.0, index="flat")
        estimators.append(estimator)
        _, fitting = wall_seconds(partial(estimator.fit, latents, log))
        print(
            f"\nfit from a log of {n_samples:,} x {n_epochs} in {log.bits} bits: {fitting:.2f} s, "
            f"{fitting / reading[False]:.1f} times reading its {size(log.path) / 1e6:.0f} MB from "
            f"the disk, {fitting / reading[True]:.1f} times reading them from the cache; "
            f"peak of the process {peak_bytes() / 2**20:.0f} MiB"
        )
    print(what_changes("16 bits", estimators, rng.normal(size=(1000, 4))))


def test_what_16_bits_change(tmp_path: Path) -> None:
    """Fit to errors of 6,750 atoms and 150 epochs, of a NequIP model on acac, in both widths."""
    folder = data_folder() / "acac_nequip"
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set LTAU_DATA")
    train, new = (np.load(folder / f"{name}.npz") for name in ("train", "MD_300K"))
    logs = write_both(tmp_path, len(train["errors"]), train["errors"].T)
    estimators = [LTAUEstimator().fit(train["latents"], log) for log in logs]
    print("\n" + what_changes("16 bits", estimators, new["latents"]))
    estimators[1] = LTAUEstimator(n_bins=101).fit(train["latents"], logs[0])
    print(what_changes("101 bins in place of 100", estimators, new["latents"]))


def write_both(folder: Path, n_samples: int, epochs: Iterable[Floats]) -> list[ErrorLog]:
    """Write errors to a log of 32 bits and to one of 16."""
    widths: tuple[Literal[32, 16], ...] = (32, 16)
    logs = [ErrorLog(folder / str(bits), n_samples, bits=bits) for bits in widths]
    for errors in epochs:
        for log in logs:
            log.record(np.arange(n_samples), errors)
            log.end_epoch()
    for log in logs:
        log.close()
    return logs


def what_changes(cause: str, estimators: Sequence[LTAUEstimator], new: Floats) -> str:
    """Say by how much the predictions of the second estimator differ from those of the first."""
    before, after = estimators
    rms = [
        100 * np.sqrt(np.mean((predict(after) / predict(before) - 1) ** 2))
        for predict in (
            lambda fitted: fitted.predict(new),
            lambda fitted: fitted.predict_quantile(new, 0.9),
        )
    ]
    return (
        f"{cause} change expected errors by {rms[0]:.3f} % (rms), and error bars of 90 % by "
        f"{rms[1]:.2f} %"
    )


def size(folder: Path) -> int:
    """Count the bytes of a log's epochs."""
    return sum(file.stat().st_size for file in folder.glob("*.npy"))


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
