"""``ltau mace``: how wrong the forces of a MACE model are."""

from __future__ import annotations

from argparse import REMAINDER, ArgumentParser
from pathlib import Path
from typing import Any

from ltau._commands.arguments import (
    add_command,
    add_fit_options,
    add_output,
    add_predict_options,
)
from ltau._commands.running import runner

__all__ = ["HELP", "add_arguments"]

HELP = "how wrong the forces of a MACE model are"

_MODELS_ARE_CODE = (
    "Loading a .model file of MACE runs code that it holds: give only files that you trust. "
    "What fit writes is data alone."
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the commands of ``ltau mace``."""
    commands = parser.add_subparsers(required=True)
    _add_train(_command(commands, "train", "train as mace_run_train does, and record the errors"))
    _add_fit(_command(commands, "fit", "fit an estimator to the folder of a training"))
    _add_predict(_command(commands, "predict", "predict forces and how wrong they may be"))


def _command(commands: Any, name: str, purpose: str) -> ArgumentParser:
    parser = add_command(commands, name, purpose, epilog=_MODELS_ARE_CODE)
    parser.set_defaults(run=runner(f"ltau mace {name}", "ltau._commands.mace.runs", "mace"))
    return parser


def _add_train(train: ArgumentParser) -> None:
    train.add_argument(
        "--mode",
        choices=["step", "eval"],
        default="step",
        help="errors of the training steps, or of a pass over all structures after each epoch",
    )
    train.add_argument("--head", help="the head whose structures are recorded, of several")
    train.add_argument(
        "--overwrite", action="store_true", help="remove what an earlier training has recorded"
    )
    train.add_argument("folder", type=Path, help="where to record the errors")
    train.add_argument("arguments", nargs=REMAINDER, help="all arguments of mace_run_train")


def _add_fit(fit: ArgumentParser) -> None:
    fit.add_argument("training", type=Path, help="folder of mace_run_train, with recorded errors")
    fit.add_argument("--model", type=Path, help="by default the one that the training has saved")
    add_fit_options(fit)
    add_output(fit, "the estimator, such as model.ltau")


def _add_predict(predict: ArgumentParser) -> None:
    predict.add_argument("estimator", type=Path, help="what fit wrote")
    predict.add_argument("model", type=Path, help="the .model file")
    predict.add_argument("structures", type=Path, help="a file that ASE reads, compressed or not")
    predict.add_argument("--head", help="of the model, if it has several")
    add_predict_options(predict)
    add_output(predict, "the structures, such as out.extxyz")
