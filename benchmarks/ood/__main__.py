"""Run with ``python -m benchmarks.ood``; ``--quick`` takes two minutes."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.ood import explore, figures, report
from benchmarks.ood.run import FULL, QUICK, SHORT, run


def main() -> None:
    """Measure what is not measured yet, print the tables, and say where all is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ood", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small models on two sets")
    size.add_argument(
        "--short",
        action="store_true",
        help="models of the errors beside LTAU, on two force fields that are trained for a shorter "
        "time: half an hour",
    )
    parser.add_argument(
        "--explore", action="store_true", help="try settings of LTAU instead of other methods"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes at once, each of one thread; 1 by default"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("benchmark-results/ood"),
        help="folder of the results; what is finished there is not run again, so that a change of "
        "code needs another folder",
    )
    arguments = parser.parse_args()
    profile = QUICK if arguments.quick else SHORT if arguments.short else FULL
    output = arguments.output
    if arguments.explore:
        print(explore.write(explore.explore(profile, output, arguments.jobs), output))
    else:
        cells = run(profile, output, arguments.jobs)
        print(report.write(cells, profile, output))
        for case in profile.cases():
            found = [c.method for c in cells if (c.domain, c.seed) == (case.name, case.seed)]
            if found and case.seed == 0:
                figures.draw(case, output, found)
    print(f"Results are in {output.resolve()}")


if __name__ == "__main__":
    main()
