"""The sizes to measure, each in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import cached

__all__ = ["FULL", "QUICK", "Profile", "run"]

_LATENT_BYTES = 640_000_000  # of a cell at the most: a process peaks at some eight times that
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Profile:
    """What to measure: all widths, and numbers of samples up to the largest."""

    widths: tuple[int, ...]
    largest: int

    def cells(self) -> Iterator[tuple[int, int]]:
        """Give numbers of samples and widths, the small ones first."""
        sizes = [digit * 10**power for power in range(3, 9) for digit in (1, 3)]
        for n in sizes:
            for width in self.widths:
                if n <= self.largest and 4 * n * width <= _LATENT_BYTES:
                    yield n, width


FULL = Profile(widths=(16, 64, 256), largest=10_000_000)
QUICK = Profile(widths=(16,), largest=10_000)


def run(profile: Profile, output: Path) -> list[dict[str, Any]]:
    """Measure what is not measured yet.

    Parameters
    ----------
    profile : Profile
        The sizes.
    output : Path
        Folder of the results; what is finished is in its ``cells``.

    Returns
    -------
    list of dict
        What `benchmarks.speed.scaling.cell.measure` gives, size by size.
    """
    results = []
    for n, width in profile.cells():
        config = {"n": n, "width": width}
        results.append(cached(output / "cells", config, partial(_in_a_process, n, width)))
        print(f"{n:,} x {width} done", file=sys.stderr, flush=True)
    return results


def _in_a_process(n: int, width: int) -> dict[str, Any]:
    """Measure a size where nothing else was, so that peak and times are its own."""
    command = [sys.executable, "-m", "benchmarks.speed.scaling.cell", str(n), str(width)]
    alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=_ROOT, env=alone
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
