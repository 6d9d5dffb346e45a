"""Running a command: what is not installed, and files that are wrong, end it with one line."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from importlib import import_module

__all__ = ["Run", "runner"]

Run = Callable[[ArgumentParser, Namespace], None]


def runner(command: str, module: str, extras: str = "") -> Run:
    """Make what runs a command.

    Parameters
    ----------
    command : str
        What the user typed, such as ``ltau nequip fit``.
    module : str
        The module whose ``COMMANDS`` hold a function of the options, under the command's
        last word. It is imported only when the command runs.
    extras : str, optional
        What to install for it, if that is more than the core.

    Returns
    -------
    callable
        Runs the command with a parser and the options it read.
    """

    def run(parser: ArgumentParser, options: Namespace) -> None:
        output = getattr(options, "output", None)
        if output is not None and not output.parent.is_dir():
            parser.error(f"cannot write {output}: there is no such folder")
        try:
            commands = import_module(module).COMMANDS
        except ModuleNotFoundError as error:
            what = f"ltau[{extras}]" if extras else "ltau"
            parser.exit(1, f"{command} needs {error.name}: pip install '{what}'\n")
        try:
            commands[command.split()[-1]](options)
        except (ImportError, OSError, ValueError) as error:
            parser.exit(1, f"{command}: {error}\n")

    return run
