"""The command ``ltau``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ltau import __version__

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments; by default those of the process.

    Raises
    ------
    SystemExit
        If the arguments are not understood, or something that is needed is not installed.
    """
    parser = argparse.ArgumentParser(prog="ltau", description="Error bars from training errors.")
    parser.add_argument("--version", action="version", version=f"ltau {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train a network on real data and fit LTAU to it")
    demo.add_argument(
        "--output", type=Path, default=Path("ltau-demo"), help="folder for the pictures"
    )
    demo.add_argument("--epochs", type=_positive, default=40, help="epochs of training")
    demo.add_argument("--seed", type=int, default=0, help="seed of everything random")
    options = parser.parse_args(arguments)
    try:
        from ltau.demo import run
    except ModuleNotFoundError as error:
        parser.exit(1, f"ltau demo needs {error.name}: pip install 'ltau[demo]'\n")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"cannot write to the folder {options.output}: {error.strerror}")
    run(options.output, n_epochs=options.epochs, seed=options.seed)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {number}")
    return number
