"""Arguments that several commands share."""

from __future__ import annotations

from argparse import Action, ArgumentDefaultsHelpFormatter, ArgumentParser, ArgumentTypeError
from fractions import Fraction
from pathlib import Path
from typing import Any

__all__ = [
    "Formatter",
    "add_command",
    "add_device",
    "add_estimator_options",
    "add_fit_options",
    "add_level",
    "add_output",
    "add_predict_options",
    "count_or_fraction",
    "environment",
    "positive",
]


class Formatter(ArgumentDefaultsHelpFormatter):
    """Shows defaults in the help, where there are any."""

    def _get_help_string(self, action: Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        return super()._get_help_string(action)


def add_command(commands: Any, name: str, purpose: str, **options: Any) -> ArgumentParser:
    """Add a command, whose help shows defaults."""
    parser: ArgumentParser = commands.add_parser(
        name, help=purpose, description=purpose, formatter_class=Formatter, **options
    )
    return parser


def add_output(parser: ArgumentParser, output: str) -> None:
    """Add where a command writes."""
    parser.add_argument("-o", "--output", type=Path, required=True, help=output)


def add_device(parser: ArgumentParser) -> None:
    """Add where a model is to run."""
    parser.add_argument("--device", default="cpu", help="where the model is to run")


def add_fit_options(fit: ArgumentParser) -> None:
    """Add what a fit to the folder of a force field's training may be told."""
    add_device(fit)
    add_estimator_options(fit)
    fit.add_argument(
        "--no-calibration", action="store_true", help="leave the validation structures out"
    )


def add_estimator_options(fit: ArgumentParser) -> None:
    """Add what an estimator of a force field's errors may be told."""
    fit.add_argument("--n-neighbors", type=positive, help="by default validation chooses")
    fit.add_argument("--burn-in", type=count_or_fraction, help="first epochs left out (a third)")
    fit.add_argument("--scaling", choices=["none", "standardize", "whiten"])
    fit.add_argument(
        "--environment",
        type=environment,
        default="auto",
        help="cutoff in Å of the neighbours that count, none, or auto: validation chooses",
    )
    fit.add_argument("--groups", help="entry of atoms.info that says which frames are related")


def add_predict_options(predict: ArgumentParser) -> None:
    """Add how forces with uncertainties are predicted."""
    add_device(predict)
    add_level(predict)


def add_level(predict: ArgumentParser) -> None:
    """Add the level of the error bars."""
    predict.add_argument("--level", type=float, default=0.9, help="of the upper bound")


def positive(text: str) -> int:
    """Read a positive number."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"expected at least 1, got {number}")
    return number


def count_or_fraction(text: str) -> float:
    """Keep apart 1, a number of epochs, and 1.0 or 1/3, fractions of them."""
    return int(text) if text.isdecimal() else float(Fraction(text))


def environment(text: str) -> float | str | None:
    """Read a cutoff in Å, ``none`` or ``auto``."""
    return {"auto": "auto", "none": None}[text] if text in ("auto", "none") else float(text)
