"""The command ``ltau``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from ltau import __version__
from ltau._commands import arrays, compare, demo, frames, mace, nequip, report
from ltau._commands.arguments import Formatter, add_command

__all__ = ["main"]

_COMMANDS = {
    **arrays.COMMANDS,
    "compare": compare,
    "demo": demo,
    "frames": frames,
    "mace": mace,
    "nequip": nequip,
    "report": report,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Without a command, print the help.

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
    parser = ArgumentParser(
        prog="ltau", description="Error bars from training errors.", formatter_class=Formatter
    )
    parser.add_argument("--version", action="version", version=f"ltau {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, command in _COMMANDS.items():
        command.add_arguments(add_command(commands, name, command.HELP))
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
    else:
        options.run(parser, options)
