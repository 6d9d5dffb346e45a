"""The command ``ltau``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from ltau import __version__
from ltau._commands import demo, nequip

__all__ = ["main"]

_COMMANDS = {"demo": demo, "nequip": nequip}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments; by default those of the process.

    Raises
    ------
    SystemExit
        If the arguments are not understood, something that is needed is not installed, or
        files are not what they should be.

    Examples
    --------
    >>> from ltau.cli import main
    >>> main(["demo", "nequip", "--epochs", "10"])  # doctest: +SKIP
    """
    parser = ArgumentParser(prog="ltau", description="Error bars from training errors.")
    parser.add_argument("--version", action="version", version=f"ltau {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in _COMMANDS.items():
        command.add_arguments(commands.add_parser(name, help=command.HELP))
    options = parser.parse_args(arguments)
    options.run(parser, options)
