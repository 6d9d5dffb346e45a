"""Arguments of the commands that read arrays."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from ltau._commands.running import runner

__all__ = [
    "add_latents",
    "add_model",
    "add_observed",
    "add_y_pred",
    "describe_files",
    "set_run",
]

_RUNS = "ltau._commands.arrays.runs"


def describe_files(parser: ArgumentParser) -> None:
    """Say what files are read."""
    parser.epilog = (
        "FILE is array.npy, arrays.npz:name, table.csv, or table.csv:column,column for some "
        "columns of it. The first line of a CSV file names the columns."
    )


def set_run(parser: ArgumentParser, name: str) -> None:
    """Let the command run its function in `runs`."""
    parser.set_defaults(run=runner(f"ltau {name}", _RUNS))


def add_model(parser: ArgumentParser) -> None:
    """Add the estimator that a command reads."""
    parser.add_argument("model", type=Path, help="what ltau fit wrote")


def add_latents(parser: ArgumentParser, samples: str) -> None:
    """Add the latents of some samples, and their classes."""
    parser.add_argument("latents", metavar="LATENTS", help=f"FILE of the latents of {samples}")
    parser.add_argument("--strata", metavar="FILE", help="class of each sample, such as an element")


def add_observed(parser: ArgumentParser) -> None:
    """Add the errors of held-out samples, and what the model predicts for them."""
    parser.add_argument("errors", metavar="ERRORS", help="FILE of their observed absolute errors")
    add_y_pred(parser)


def add_y_pred(parser: ArgumentParser) -> None:
    """Add what the model predicts."""
    parser.add_argument(
        "--y-pred", metavar="FILE", help="predictions of the model; needed if fitted with targets"
    )
