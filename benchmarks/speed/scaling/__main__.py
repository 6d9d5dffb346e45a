"""Run with ``python -m benchmarks.speed.scaling``; ``--quick`` takes less than a minute."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.scaling.report import write
from benchmarks.speed.scaling.run import FULL, QUICK, Profile, run


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, print the tables, and say where all is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 10,000 samples of 16 features")
    parser.add_argument("--widths", type=int, nargs="+", default=FULL.widths)
    parser.add_argument("--largest", type=int, default=FULL.largest, help="number of samples")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("benchmark-results/scaling"),
        help="folder of the results; what is finished there is not run again, so that a change of "
        "code needs another folder",
    )
    options = parser.parse_args(arguments)
    profile = QUICK if options.quick else Profile(tuple(options.widths), options.largest)
    print(write(run(profile, options.output), options.output))
    print(f"Results are in {options.output.resolve()}")


if __name__ == "__main__":
    main()
