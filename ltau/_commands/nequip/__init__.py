"""``ltau nequip``: how wrong the forces of a NequIP model are."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from ltau._commands.arguments import (
    add_command,
    add_device,
    add_fit_options,
    add_output,
    add_predict_options,
)
from ltau._commands.running import runner

__all__ = ["HELP", "add_arguments"]

HELP = "how wrong the forces of a NequIP model are"

_MODELS_ARE_CODE = (
    "Loading a checkpoint or a package of NequIP runs code that it holds, and a compiled model is "
    "code: give only files that you trust. What fit writes is data alone."
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the commands of ``ltau nequip``."""
    commands = parser.add_subparsers(required=True)
    _add_fit(_command(commands, "fit", "fit an estimator to the folder of a training"))
    _add_predict(_command(commands, "predict", "predict forces and how wrong they may be"))
    _add_compile(_command(commands, "compile", "compile a model that gives its latents too"))


def _command(commands: Any, name: str, purpose: str) -> ArgumentParser:
    parser = add_command(commands, name, purpose, epilog=_MODELS_ARE_CODE)
    parser.set_defaults(run=runner(f"ltau nequip {name}", "ltau._commands.nequip.runs", "nequip"))
    return parser


def _add_fit(fit: ArgumentParser) -> None:
    fit.add_argument("training", type=Path, help="folder of nequip-train, with a recorder's logs")
    fit.add_argument("--checkpoint", type=Path, help="by default last.ckpt, in the folder or below")
    fit.add_argument("--target", choices=["forces", "energy"], default="forces")
    add_fit_options(fit)
    add_output(fit, "the estimator, such as model.ltau")


def _add_predict(predict: ArgumentParser) -> None:
    predict.add_argument("estimator", type=Path, help="what fit wrote")
    predict.add_argument("model", type=Path, help="checkpoint, package or compiled model")
    predict.add_argument("structures", type=Path, help="a file that ASE reads, compressed or not")
    add_predict_options(predict)
    add_output(predict, "the structures, such as out.extxyz")


def _add_compile(compile_: ArgumentParser) -> None:
    add_device(compile_)
    compile_.add_argument("model", type=Path, help="checkpoint or package")
    compile_.add_argument(
        "--estimator", type=Path, help="what fit wrote, to be compiled with the model"
    )
    compile_.add_argument("--level", type=float, default=0.9, help="of the upper bound")
    add_output(compile_, "the compiled model, such as model.nequip.pt2")
