"""What ``ltau report`` runs, with the options of the command line."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from ase import Atoms
from ase.io.formats import UnknownFileTypeError

from ltau.plotting import write_report
from ltau.structures import iread

__all__ = ["COMMANDS"]


def _report(options: Namespace) -> None:
    """Read structures, and write the page."""
    said = write_report(
        options.output,
        _read(options.structures),
        truth=None if options.truth is None else _read(options.truth),
        table=options.table,
        title=f"Expected errors of forces: {options.structures.name}",
        n_atoms=options.atoms,
    )
    print(f"{options.output}. {said}")


def _read(path: Path) -> Iterator[Atoms]:
    """Read structures when they are asked for: once it is known that the page can be written."""
    if path.is_file() and not path.stat().st_size:
        raise ValueError(f"Expected structures in {path}, got an empty file.")
    try:
        yield from iread(path)
    except UnknownFileTypeError as error:
        raise ValueError(f"Expected structures in {path}, got a file of type {error}.") from error


COMMANDS = {"report": _report}
