"""``ltau frames``: how wrong the forces of any ASE calculator are."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from ltau._commands.arguments import (
    add_command,
    add_estimator_options,
    add_level,
    add_output,
)
from ltau._commands.running import runner

__all__ = ["HELP", "add_arguments"]

HELP = "how wrong the forces of any ASE calculator are"

_CODE_IS_RUN = (
    "MODULE:FACTORY and MODULE:FUNCTION name code of yours, or of a package, such as "
    "sevenn.calculator:SevenNetCalculator and ltau.adapters.sevennet:latents. It is imported, from "
    "the current folder too, and run, and may load checkpoints that are code themselves: name only "
    "what you trust. What fit writes is data alone."
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the commands of ``ltau frames``."""
    commands = parser.add_subparsers(required=True)
    _add_fit(_command(commands, "fit", "fit an estimator to errors on labelled structures"))
    _add_predict(_command(commands, "predict", "predict forces and how wrong they may be"))


def _command(commands: Any, name: str, purpose: str) -> ArgumentParser:
    parser = add_command(commands, name, purpose, epilog=_CODE_IS_RUN)
    parser.add_argument(
        "--calculator",
        required=True,
        metavar="MODULE:FACTORY",
        help="makes an ASE calculator; called with a checkpoint, or without",
    )
    parser.add_argument(
        "--latents",
        required=True,
        metavar="MODULE:FUNCTION",
        help="gives the atoms' latents, called with atoms and calculator",
    )
    parser.set_defaults(run=runner(f"ltau frames {name}", "ltau._commands.frames.runs", "ase"))
    return parser


def _add_fit(fit: ArgumentParser) -> None:
    fit.add_argument(
        "structures", type=Path, help="labelled, a file that ASE reads, compressed or not"
    )
    fit.add_argument(
        "--checkpoints",
        nargs="+",
        default=[],
        help="what the factory is called with, in the order of training",
    )
    new = fit.add_mutually_exclusive_group()
    new.add_argument("--held-out", type=Path, help="labelled, that were not trained on")
    new.add_argument(
        "--split", type=float, help="share to hold out, if the model was trained on none of them"
    )
    fit.add_argument(
        "--not-invariant",
        action="store_true",
        help="take latents that change when a structure is rotated",
    )
    add_estimator_options(fit)
    add_output(fit, "the estimator, such as model.ltau")


def _add_predict(predict: ArgumentParser) -> None:
    predict.add_argument("estimator", type=Path, help="what fit wrote")
    predict.add_argument("structures", type=Path, help="a file that ASE reads, compressed or not")
    predict.add_argument("--checkpoint", help="what the factory is called with")
    add_level(predict)
    add_output(predict, "the structures, such as out.extxyz")
