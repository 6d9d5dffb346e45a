"""Run with ``python -m benchmarks.speed.peers``; ``--quick`` takes some seconds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.parallel import one_thread
from benchmarks.harness.tables import markdown_table
from benchmarks.harness.timing import processor_seconds, quartiles
from benchmarks.speed.peers.answers import ALONE, PEERS, Call
from benchmarks.speed.peers.samples import FULL, N_FEATURES, QUICK, Given, Table, batches, prepare

__all__ = ["added", "main", "make_all", "turns"]

Seconds = Mapping[str, NDArray[np.float64]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all in one process, on one thread, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 rows, and a few rounds")
    profile = QUICK if parser.parse_args(arguments).quick else FULL
    with one_thread():
        given = prepare(profile)
        calls, missing = make_all(given)
        times = {
            size: added(turns(calls, list(batches(given.queries, size, n + 1))))
            for size, n in profile.rounds.items()
        }
    print(
        f"{profile.n_train:,} rows of {N_FEATURES} features, {profile.n_epochs} epochs, one "
        "thread. Microseconds of the processor a row: of the network, and what each other takes "
        "beyond the network's pass; medians with quartiles."
    )
    header = ["", "Beside the prediction", *(f"Batches of {size:,}" for size in times)]
    rows = [
        [
            name,
            PEERS[name].gives,
            *(_micro(of_size[name] / size) for size, of_size in times.items()),
        ]
        for name in calls
    ]
    print(markdown_table(header, rows))
    for name, module in missing.items():
        print(f"Left out: {name}; {module} is not installed.")


def make_all(given: Given) -> tuple[dict[str, Call], dict[str, str]]:
    """Make all that answer, and name those whose package is not installed, with the package."""
    calls, missing = {}, {}
    for name, peer in PEERS.items():
        try:
            calls[name] = peer.make(given)
        except ModuleNotFoundError as error:
            missing[name] = str(error.name)
    return calls, missing


def turns(calls: Mapping[str, Call], asked: Sequence[Table]) -> Seconds:
    """Time all on the same batch in turn, as machines drift; the first batch warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for batch in asked:
        for name, call in calls.items():
            times[name].append(processor_seconds(partial(call, batch))[1])
    return {name: np.array(each[1:]) for name, each in times.items()}


def added(times: Seconds) -> Seconds:
    """Take from each the network's pass of the same round, which all of them include."""
    return {name: each if name == ALONE else each - times[ALONE] for name, each in times.items()}


def _micro(seconds: NDArray[np.float64]) -> str:
    low, middle, high = 1e6 * np.array(quartiles(seconds))
    return f"{middle:,.1f} [{low:,.1f}, {high:,.1f}]"


if __name__ == "__main__":
    main()
