"""One size, measured in this process: ``python -m benchmarks.speed.scaling.cell 1000 16``.

Prints JSON. Times are those of the processor, so that other work on the machine counts little:
with one thread (``OMP_NUM_THREADS=1``) they are what a clock shows on an idle machine, but for
waiting for the disk.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from benchmarks.harness.timing import peak_bytes, processor_seconds, wall_seconds
from benchmarks.speed.bare import bare_search, only_index
from benchmarks.speed.scaling.samples import N_EPOCHS, Samples, draw
from ltau import LTAUEstimator

__all__ = ["N_QUERIES", "K", "measure"]

K = 10
N_QUERIES = 1000
_ROUNDS = 9
_BUDGET_SECONDS = 1.0  # of an operation, after which it is not repeated
_MOST_FOR_SKLEARN = 100_000  # samples, above which it would take minutes
_MOST_FOR_OWN = 3_000_000  # samples, above which to search the neighbours of all would

Times = dict[str, list[float]]


def measure(n: int, width: int) -> dict[str, Any]:
    """Measure everything at one size.

    Parameters
    ----------
    n, width : int
        Numbers of training samples and of features.

    Returns
    -------
    dict of str to JSON values
        ``seconds`` of the processor, each round of each operation; searches and predictions
        are of `N_QUERIES` queries at once. ``wall_seconds``, the same by the clock.
        ``index``, its kind; ``recall`` on the queries; ``crps`` and ``crps_exact``, with this
        index and with the exact one; ``peak_bytes`` of the process, after each stage.
    """
    warm_up(width)
    train, test = draw(n, width, N_EPOCHS, seed=1), draw(N_QUERIES, width, 1, seed=2)
    clock, peaks = Clock(), {"data": peak_bytes()}
    estimator = clock.run("fit", lambda: fit(train, "auto"))
    peaks["fit"] = peak_bytes()
    estimator.predict(test.latents)
    peaks["predict"] = peak_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "estimator.ltau"
        clock.run("save", lambda: estimator.save(path))
        clock.run("load", lambda: LTAUEstimator.load(path))
    exact = clock.run("fit, exact index", lambda: fit(train, "flat"))
    clock.turns(searches(estimator, exact, test.latents, n <= _MOST_FOR_SKLEARN))
    if n <= _MOST_FOR_OWN:
        clock.once("own distances", lambda: estimator.ood_score(test.latents))
    return {
        "n": n,
        "width": width,
        "index": estimator.index_,
        "recall": recall(estimator, exact, test.latents),
        "crps": -estimator.score(*test),
        "crps_exact": -exact.score(*test),
        "seconds": clock.processor,
        "wall_seconds": clock.wall,
        "peak_bytes": peaks,
    }


def fit(samples: Samples, index: str) -> LTAUEstimator:
    """Fit without the search of the samples' own neighbours, which is measured by itself."""
    return LTAUEstimator(K, index=index, distance_scaling=0, random_state=0).fit(*samples)


def warm_up(width: int) -> None:
    """Load what is loaded at first use."""
    samples = draw(100, width, N_EPOCHS, seed=0)
    fit(samples, "flat").predict_pdf(samples.latents)


def searches(
    estimator: LTAUEstimator,
    exact: LTAUEstimator,
    queries: NDArray[np.float32],
    with_sklearn: bool,
) -> dict[str, Callable[[], Any]]:
    """Collect what is asked of the same queries, in turn."""
    scaler, flat = only_index(exact)
    _, index = only_index(estimator)
    vectors, scaled = flat.vectors, scaler.transform(queries)
    calls: dict[str, Callable[[], Any]] = {
        "predict": lambda: estimator.predict(queries),
        "predict_pdf": lambda: estimator.predict_pdf(queries),
        "bare search": lambda: bare_search(index, scaled, K),
        "exact search": lambda: faiss.knn(scaled, vectors, K),
    }
    if with_sklearn:
        for name in ("brute", "kd_tree"):
            others = NearestNeighbors(n_neighbors=K, algorithm=name).fit(vectors)
            calls[f"scikit-learn {name}"] = partial(others.kneighbors, scaled)
    return calls


def recall(estimator: LTAUEstimator, exact: LTAUEstimator, queries: NDArray[np.float32]) -> float:
    """Share of the true neighbours found; by distance, so that of equally near ones any will do."""
    found, nearest = (one.kneighbors(queries)[0] for one in (estimator, exact))
    return float((found <= nearest[:, -1:] * (1 + 1e-5)).mean())


class Clock:
    """Times of operations, round by round, by the processor and on the wall."""

    def __init__(self) -> None:
        self.processor: Times = {}
        self.wall: Times = {}

    def once(self, name: str, call: Callable[[], Any]) -> Any:
        """Time one call, and give what it gave."""
        (result, processor), wall = wall_seconds(lambda: processor_seconds(call))
        self.processor.setdefault(name, []).append(processor)
        self.wall.setdefault(name, []).append(wall)
        return result

    def run(self, name: str, call: Callable[[], Any]) -> Any:
        """Time a call, again if it is short, and give what it gave first."""
        result = self.once(name, call)
        self.turns({name: call})
        return result

    def turns(self, calls: dict[str, Callable[[], Any]]) -> None:
        """Time calls in turn, as machines drift; those that have taken long enough drop out."""
        for _ in range(_ROUNDS):
            for name, call in calls.items():
                if sum(self.processor.get(name, [])) < _BUDGET_SECONDS:
                    self.once(name, call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("n", type=int)
    parser.add_argument("width", type=int)
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
