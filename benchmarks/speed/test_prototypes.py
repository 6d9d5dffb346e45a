"""What prototypes lose, and what they save: on a force field, and in a million samples."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.harness.data import data_folder
from benchmarks.harness.timing import quartiles, wall_seconds
from ltau import LTAUEstimator
from ltau.metrics import auroc, spearman

Case = tuple[int, int | Literal["auto"] | None]  # neighbours, and prototypes
Floats = NDArray[np.float64]
Part = Mapping[str, NDArray[Any]]

N_ATOMS = 15
ROUNDS = 400
CASES: list[Case] = [
    (10, None),
    (5, None),
    (10, "auto"),
    (10, 400),
    (10, 200),
    (3, 400),
    (3, 200),
    (3, 100),
    (2, 50),
]

FIT = """
import resource, time
import numpy as np
from ltau import LTAUEstimator

rng = np.random.default_rng(0)
plane = rng.standard_normal((8, 64), dtype="f4")
latents = rng.standard_normal((1_000_000, 8), dtype="f4") @ plane
for rows in np.split(latents, 100):
    rows += 0.1 * rng.standard_normal(rows.shape, dtype="f4")
errors = rng.standard_exponential((1_000_000, 20), dtype="f4")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, busy = time.perf_counter(), time.process_time()
LTAUEstimator(n_prototypes={n}, random_state=0).fit(latents, errors)
seconds, busy = time.perf_counter() - start, time.process_time() - busy
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = latents.nbytes + errors.nbytes
print(f"{n:,} prototypes of 1,000,000 x 64: {{seconds:.0f}} s ({{busy:.0f}} s of processors), "
      f"{{(peak - before) / 1024:.0f}} MiB "
      f"beyond the {{data / 2**20:.0f}} MiB of latents and errors")
"""


@pytest.fixture(scope="module")
def acac() -> dict[str, Part]:
    """Latents and errors of acetylacetone, set by set."""
    folder = data_folder() / "acac_nequip"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: set LTAU_DATA")
    return {path.stem: np.load(path) for path in folder.glob("*.npz")}


@pytest.mark.parametrize("by_element", [False, True], ids=["all elements", "by element"])
def test_force_field(acac: dict[str, Part], by_element: bool) -> None:
    """Rank errors with fewer and fewer prototypes, and time molecules of 15 atoms in turn."""
    train = acac["train"]
    elements = train["atomic_numbers"] if by_element else None
    fitted = {
        case: LTAUEstimator(case[0], n_prototypes=case[1], random_state=0, n_jobs=1).fit(
            train["latents"], train["errors"], elements
        )
        for case in CASES
    }
    times = _times(fitted, acac["MD_300K"], by_element)
    for (k, n), estimator in fitted.items():
        cold, hot = (_ranks(estimator, acac[name], by_element) for name in ("MD_300K", "MD_600K"))
        frames = np.concatenate([cold[2], hot[2]])
        is_hot = np.repeat([0, 1], [len(cold[2]), len(hot[2])])
        low, middle, high = quartiles(times[k, n] / times[10, None])
        print(
            f"k = {k}, n_prototypes = {n} ({estimator.n_prototypes_}): Spearman {cold[0]:.3f} and "
            f"{hot[0]:.3f}, CRPS {1e3 * cold[1]:.1f} and {1e3 * hot[1]:.1f} meV/Å, "
            f"frame AUROC {auroc(is_hot, frames):.3f}, "
            f"time {middle:.2f} [{low:.2f}, {high:.2f}] "
            f"of {1e6 * np.median(times[10, None]):.0f} us"
        )


@pytest.mark.parametrize("n", [1000])
def test_fit_of_a_million(n: int) -> None:
    """Fit in a process of its own, whose memory is then the fit's."""
    command = [sys.executable, "-c", FIT.format(n=n)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def _ranks(estimator: LTAUEstimator, test: Part, by_element: bool) -> tuple[float, float, Floats]:
    """Spearman of the predicted errors, mean CRPS, and each frame's mean `ood_score`."""
    latents, elements = test["latents"], test["atomic_numbers"] if by_element else None
    predicted = estimator.predict(latents, elements)
    score = estimator.score(latents, test["errors"], elements)
    frames = estimator.ood_score(latents, elements).reshape(-1, N_ATOMS).mean(axis=1)
    return spearman(test["errors"], predicted), -score, frames


def _times(
    fitted: Mapping[Case, LTAUEstimator], test: Part, by_element: bool
) -> dict[Case, Floats]:
    """Seconds of a frame's summary, all estimators in turn: machines drift."""
    times: dict[Case, list[float]] = {case: [] for case in fitted}
    for frame in range(ROUNDS):
        atoms = slice(N_ATOMS * frame, N_ATOMS * (frame + 1))
        elements = test["atomic_numbers"][atoms] if by_element else None
        latents = test["latents"][atoms]
        for case, estimator in fitted.items():
            call = partial(estimator.predict_summary, latents, strata=elements)
            times[case].append(wall_seconds(call)[1])
    return {case: np.array(each) for case, each in times.items()}
