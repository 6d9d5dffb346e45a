"""What a step of dynamics pays for: the summary of 15 samples, beside the bare search.

``python -m benchmarks.speed.step`` asks a molecule's number of samples at once, again and again
(hot), and each time after other work has swept the caches, as a model's pass does (cold). Search
and summary take turns; times are those of the clock, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import faiss
import numpy as np

from benchmarks.harness.latents import clustered
from benchmarks.harness.timing import Quartiles, quartiles, wall_seconds
from benchmarks.speed.bare import bare_search, only_index
from ltau import LTAUEstimator

N_SAMPLES, N_FEATURES, N_ATOMS, N_EPOCHS = 6750, 32, 15, 40  # as many as of acac
N_ROUNDS = 400
SWEPT = np.zeros(1 << 23)  # 64 MB: more than the caches hold

CASES: dict[str, dict[str, Any]] = {"all samples": {}, "200 prototypes": {"n_prototypes": 200}}


def microseconds(calls: list[Callable[[], object]], *, cold: bool) -> list[list[float]]:
    """Time some calls in turn, round by round."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(N_ROUNDS):
        for call, mine in zip(calls, times, strict=True):
            if cold:
                np.add(SWEPT, 1, out=SWEPT)
            else:
                call()
            mine.append(1e6 * wall_seconds(call)[1])
    return times


def prepared(settings: dict[str, Any]) -> list[Callable[[], object]]:
    """Fit an estimator, and give its bare search and its summary of the same samples."""
    latents, queries = np.split(clustered(N_SAMPLES + N_ATOMS, N_FEATURES), [N_SAMPLES])
    errors = np.random.default_rng(1).gamma(2.0, size=(N_SAMPLES, N_EPOCHS))
    estimator = LTAUEstimator(random_state=0, n_jobs=1, **settings).fit(latents, errors)
    scaler, index = only_index(estimator)
    search = partial(bare_search, index, scaler.transform(queries), estimator.n_neighbors)
    summary = partial(estimator.predict_summary, queries)
    return [search, summary]


def measured(
    calls: list[Callable[[], object]], *, cold: bool
) -> tuple[Quartiles, Quartiles, float]:
    """Time the bare search, the summary, and the one over the other."""
    bare, whole = map(quartiles, microseconds(calls, cold=cold))
    return bare, whole, whole.middle / bare.middle


def main() -> None:
    """Measure, and print a table."""
    faiss.omp_set_num_threads(1)
    print(f"{N_ATOMS} samples among {N_SAMPLES:,} x {N_FEATURES}: median microseconds, quartiles")
    for name, settings in CASES.items():
        calls = prepared(settings)
        for cold in (False, True):
            bare, whole, ratio = measured(calls, cold=cold)
            print(
                f"{name:15} {'cold' if cold else 'hot':4}  "
                f"search {bare.middle:.0f} [{bare.low:.0f}, {bare.high:.0f}]  "
                f"summary {whole.middle:.0f} [{whole.low:.0f}, {whole.high:.0f}]  "
                f"ratio {ratio:.2f}"
            )


if __name__ == "__main__":
    main()
