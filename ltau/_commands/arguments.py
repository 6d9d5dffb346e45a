"""Arguments that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

__all__ = ["add_output", "count_or_fraction", "environment", "positive"]


def add_output(parser: ArgumentParser, output: str) -> None:
    """Add where a command writes."""
    parser.add_argument("-o", "--output", type=Path, required=True, help=output)


def positive(text: str) -> int:
    """Read a positive number."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"expected at least 1, got {number}")
    return number


def count_or_fraction(text: str) -> float:
    """Keep apart 1, a number of epochs, and 1.0, a fraction of them."""
    return int(text) if text.isdecimal() else float(text)


def environment(text: str) -> float | str | None:
    """Read a cutoff in Å, ``none`` or ``auto``."""
    return {"auto": "auto", "none": None}[text] if text in ("auto", "none") else float(text)
