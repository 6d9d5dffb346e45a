"""Run with ``python -m benchmarks.is2rs``; ``--quick`` takes a few minutes."""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.is2rs.profiles import EMT, OC20, QUICK, Profile
from benchmarks.is2rs.relaxing.relaxation import OPTIMIZERS
from benchmarks.is2rs.report import figures, writing
from benchmarks.is2rs.run import STAGES, Benchmark, Given

if TYPE_CHECKING:
    from distributed import Client


def main() -> None:
    """Do the stages that are not done yet, print the report, and say where all is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.is2rs", description=__doc__)
    parser.add_argument(
        "--data", default="emt", help="folder of data in a layout of OC20; made here by default"
    )
    parser.add_argument("--limit", type=int, help="the most systems of each split")
    parser.add_argument(
        "--model", type=Path, help="a trained NequIP model to relax with; trained here by default"
    )
    parser.add_argument("--estimator", type=Path, help="the estimator of the errors of --model")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="LBFGS")
    parser.add_argument(
        "--until", choices=(*STAGES, "report"), default="report", help="the last stage to do"
    )
    parser.add_argument("--quick", action="store_true", help="few systems, and small models")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes at once; all cores by default"
    )
    parser.add_argument("--scheduler", help="address of a Dask scheduler, whose workers are used")
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of the results, in which what is finished is not done again; "
        "by default one in benchmark-results",
    )
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.estimator is None):
        parser.error("--model and --estimator go together")
    profile, name = _profile(arguments)
    benchmark = Benchmark(
        profile,
        arguments.output or Path("benchmark-results") / name,
        data=None if arguments.data == "emt" else Path(arguments.data),
        limit=arguments.limit,
        given=arguments.model and Given(arguments.model, arguments.estimator),
        optimizer=arguments.optimizer,
        n_jobs=arguments.jobs,
        workers=_workers(arguments),
    )
    benchmark.run(STAGES[-1] if arguments.until == "report" else arguments.until)
    if arguments.until == "report":
        relaxed, lost = benchmark.results()
        about = _about(benchmark, name)
        print(writing.write(relaxed, lost, about, benchmark.output, profile.n_resamples))
        figures.draw(relaxed, about, benchmark.output)
    print(f"Results are in {benchmark.output.resolve()}")


def _profile(arguments: argparse.Namespace) -> tuple[Profile, str]:
    if arguments.quick:
        return QUICK, "is2rs-quick"
    return (EMT, "is2rs-emt") if arguments.data == "emt" else (OC20, "is2rs-oc20")


def _workers(arguments: argparse.Namespace) -> int | Client:
    if arguments.scheduler is None:
        return int(arguments.jobs)
    from distributed import Client

    return Client(arguments.scheduler)


def _about(benchmark: Benchmark, name: str) -> dict[str, Any]:
    """Say what was run, and where."""
    return {
        "data": name.removeprefix("is2rs-"),
        "settings": benchmark.settings(),
        "seconds": benchmark.seconds(),
        "versions": {name: version(name) for name in ("ltau", "nequip", "torch", "ase", "numpy")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {benchmark.n_jobs} processes",
        "knows_forces": benchmark.makes_data,
    }


if __name__ == "__main__":
    main()
