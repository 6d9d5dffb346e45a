"""Predictions on torch tensors, on the CPU or a GPU, against the estimator's flat index on the CPU.

``python -m benchmarks.speed.torch_search --device cuda`` prints a table of medians, in
milliseconds: of the search, of ``predict_summary``, and of the exact search of faiss on
the CPU with all its threads, each timed before the other in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.latents import clustered
from benchmarks.harness.timing import wall_seconds
from ltau import LTAUEstimator
from ltau.adapters.torch import TorchEstimator

N_ROUNDS, K, N_EPOCHS = 11, 10, 100


def make(
    n_samples: int, n_features: int, n_queries: int
) -> tuple[LTAUEstimator, NDArray[np.float32]]:
    """Make an estimator, and queries."""
    latents = clustered(n_samples + n_queries, n_features)
    errors = np.random.default_rng(1).exponential(size=(n_samples, N_EPOCHS)).astype(np.float32)
    estimator = LTAUEstimator(K, distance_scaling=0, index="flat").fit(latents[:n_samples], errors)
    # What a stretch by distance needs: the search of all samples would take hours.
    few = LTAUEstimator(K, index="flat").fit(latents[:100], errors[:100])
    own = few.fitted_.own_distances(K)
    estimator.fitted_.own = replace(own, values=np.ones(n_samples))
    return estimator.set_params(distance_scaling=0.5), latents[n_samples:]


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Time a call until the device is done."""

    def until_done() -> None:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return wall_seconds(until_done)[1]


def measure(
    n_samples: int, n_queries: int, n_features: int, device: torch.device
) -> tuple[NDArray[np.float64], float]:
    """Median times in milliseconds, in turn: machines drift."""
    estimator, queries = make(n_samples, n_features, n_queries)
    on_device = TorchEstimator(estimator).to(device)
    z = torch.from_numpy(queries).to(device)
    calls: list[Callable[[], object]] = [
        lambda: on_device.kneighbors(z),
        lambda: on_device.predict_summary(z),
        lambda: estimator.kneighbors(queries),
        lambda: estimator.predict_summary(queries),
    ]
    times = [[seconds(call, device) for call in calls] for _ in range(N_ROUNDS + 1)]
    same = (on_device.kneighbors(z)[1].cpu().numpy() == estimator.kneighbors(queries)[1]).mean()
    return 1e3 * np.median(times[1:], axis=0), float(same)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, nargs="+", default=[15, 256, 4096])
    parser.add_argument("--features", type=int, default=64)
    arguments = parser.parse_args()
    device = arguments.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{name}, {torch.get_num_threads()} threads, {arguments.features} features, ms")
    print("samples  queries   search  summary  flat search  flat summary  same neighbours")
    for n_samples in arguments.samples:
        for n_queries in arguments.queries:
            times, same = measure(n_samples, n_queries, arguments.features, device)
            ours, flat = "  ".join(f"{t:7.2f}" for t in times[:2]), times[2:]
            print(
                f"{n_samples:7d}  {n_queries:7d}  {ours}  {flat[0]:11.2f}  {flat[1]:12.2f}"
                f"  {same:15.6f}"
            )


if __name__ == "__main__":
    main()
