"""The index that is chosen for many latents: its recall, times, building and memory.

``python -m benchmarks.speed.index`` fits an estimator of a million samples from a log on
the disk, in this process alone, and prints what became of it.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.timing import peak_bytes, processor_seconds, quartiles, wall_seconds
from benchmarks.speed.bare import only_index
from ltau import LTAUEstimator
from ltau.log import ErrorLog
from ltau.neighbors import NeighborIndex, make_index

N_EPOCHS, N_BINS, K, N_QUERIES = 20, 100, 10, 1000
CHUNK = 1 << 14

Floats = NDArray[np.float32]


def latents(n: int, width: int, n_dimensions: int, rng: np.random.Generator) -> Floats:
    """Draw latents of 100 clusters, each along some directions, or without any structure.

    Networks map inputs of few degrees of freedom to wide latents; a little noise fills
    the other directions.
    """
    rows = np.empty((n, width), np.float32)
    centers = rng.normal(size=(100, width)).astype(np.float32)
    axes = rng.normal(size=(100, n_dimensions, width)).astype(np.float32)
    for start in range(0, n, CHUNK):
        part = rows[start : start + CHUNK]
        rng.standard_normal(part.shape, np.float32, part)
        if n_dimensions:
            cluster = rng.integers(100, size=len(part))
            part *= 0.01
            for label in range(100):
                members = np.flatnonzero(cluster == label)
                inside = rng.standard_normal((len(members), n_dimensions), np.float32)
                part[members] += centers[label] + inside @ axes[label] / n_dimensions**0.5
    return rows


def fit(rows: Floats, memory_limit: int | None) -> tuple[LTAUEstimator, float, float, int]:
    """Fit from a log, as at the end of a training; give seconds, and the peak of memory before."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder, ErrorLog(Path(folder) / "log", len(rows)) as log:
        for _ in range(N_EPOCHS):
            log.record(np.arange(len(rows)), rng.random(len(rows), np.float32))
            log.end_epoch()
        before = peak_bytes()
        estimator = LTAUEstimator(
            K, n_bins=N_BINS, memory_limit=memory_limit, n_jobs=2, random_state=0
        )
        fits = partial(estimator.fit, rows, log)
        (_, processor), wall = wall_seconds(lambda: processor_seconds(fits))
        return estimator, wall, processor, before


def compare(estimator: LTAUEstimator, queries: Floats) -> None:
    """Time the exact search and the index in turn, and measure the recall on new samples."""
    scaler, index = only_index(estimator)
    scaled = scaler.transform(queries)
    flat = make_index("flat", index.vectors)
    exact, _ = flat.search(scaled, K)
    found, _ = index.search(scaled, K)
    print(f"index of {index.nbytes / 1e6:.0f} MB, {index.parameters}")
    print(f"recall on new samples {(found <= exact[:, -1:] * (1 + 1e-5)).mean():.4f}")
    for size, n_batches in ((16, 4), (N_QUERIES, 1)):
        seconds: dict[NeighborIndex, list[float]] = {flat: [], index: []}
        batches = [scaled[i * size : (i + 1) * size] for i in range(n_batches)]
        for _ in range(5):
            for one, times in seconds.items():
                times.append(wall_seconds(partial(search, one, batches))[1])
        micro = {one: 1e6 * np.median(t) / (size * n_batches) for one, t in seconds.items()}
        ratios = np.divide(seconds[flat], seconds[index])
        low, middle, high = quartiles(ratios)
        print(
            f"batches of {size:,}: {micro[index]:.1f} us a query, flat {micro[flat]:,.1f} us, "
            f"{middle:.1f} [{low:.1f}, {high:.1f}] times as fast"
        )


def compare_scores(estimator: LTAUEstimator, rows: Floats, queries: Floats) -> None:
    """Fit with the exact index as well, and compare times and scores of new samples."""
    errors = np.random.default_rng(1).random((len(rows), N_EPOCHS), np.float32)
    exact, seconds = processor_seconds(
        lambda: LTAUEstimator(K, n_bins=N_BINS, index="flat", n_jobs=2).fit(rows, errors)
    )
    ratios = estimator.ood_score(queries) / exact.ood_score(queries)
    print(
        f"with the exact index fit takes {seconds:.1f} s of the processors; ood_score is "
        f"{ratios.mean():.3f} times that of it on average, and off by "
        f"{100 * np.sqrt(np.mean((ratios - 1) ** 2)):.1f} % (root mean square)"
    )


def search(index: NeighborIndex, batches: list[Floats]) -> None:
    """Search for some queries at once, then for the next ones."""
    for batch in batches:
        index.search(batch, K)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--dimensions", type=int, default=8, help="of a cluster; 0 is pure noise")
    parser.add_argument("--memory-limit", type=int)
    parser.add_argument("--exact", action="store_true", help="fit with the exact index as well")
    options = parser.parse_args()
    faiss.omp_set_num_threads(2)
    rng = np.random.default_rng(0)
    rows = latents(options.rows + N_QUERIES, options.width, options.dimensions, rng)
    rows, queries = rows[:-N_QUERIES], rows[-N_QUERIES:]
    estimator, seconds, processor, before = fit(rows, options.memory_limit)
    data = rows.nbytes + options.rows * N_BINS  # counts up to 255 take a byte
    print(f"{options.rows:,} x {options.width}, {options.dimensions} dimensions a cluster")
    built = sum(record["build_seconds"] for record in estimator.index_report_)
    print(
        f"fit {seconds:.1f} s, {processor:.1f} s of the processors; indices built in {built:.1f} "
        f"s: {estimator.index_}, recall {estimator.recall_:.4f}"
    )
    print(
        f"peak {peak_bytes() / 1e6:,.0f} MB, {peak_bytes() / data:.2f} times latents and counts; "
        f"before fit {before / 1e6:,.0f} MB"
    )
    for record in estimator.index_report_:
        print(record)
    compare(estimator, queries)
    if options.exact:
        compare_scores(estimator, rows, queries)


if __name__ == "__main__":
    main()
