"""Run with ``python -m benchmarks.regression``; ``--quick`` takes minutes on two cores."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.regression.report import write
from benchmarks.regression.run import FULL, QUICK, run


def main() -> None:
    """Measure what is not measured yet, print the tables, and say where all is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regression", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three sets, two folds, 50 epochs")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("benchmark-results/regression"),
        help="folder of the results; what is finished there, with the same code, is not run again",
    )
    arguments = parser.parse_args()
    profile = QUICK if arguments.quick else FULL
    cells = run(profile, arguments.output)
    print(write(cells, profile, arguments.output))
    print(f"Results are in {arguments.output.resolve()}")


if __name__ == "__main__":
    main()
