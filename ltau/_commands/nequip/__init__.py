"""``ltau nequip``: how wrong the forces of a NequIP model are."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from ltau._commands.arguments import (
    add_command,
    add_output,
    count_or_fraction,
    environment,
    positive,
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
    parser.add_argument("--device", default="cpu", help="where the model is to run")
    parser.set_defaults(run=runner(f"ltau nequip {name}", "ltau._commands.nequip.runs", "nequip"))
    return parser


def _add_fit(fit: ArgumentParser) -> None:
    fit.add_argument("training", type=Path, help="folder of nequip-train, with a recorder's logs")
    fit.add_argument("--checkpoint", type=Path, help="by default last.ckpt, in the folder or below")
    fit.add_argument("--target", choices=["forces", "energy"], default="forces")
    fit.add_argument("--n-neighbors", type=positive, help="by default validation chooses")
    fit.add_argument("--burn-in", type=count_or_fraction, help="first epochs left out (a third)")
    fit.add_argument("--scaling", choices=["none", "standardize", "whiten"])
    fit.add_argument(
        "--environment",
        type=environment,
        default="auto",
        help="cutoff in Å of the neighbours that count, none, or auto: validation chooses",
    )
    fit.add_argument("--groups", help="entry of atoms.info that tells which frames are related")
    fit.add_argument(
        "--no-calibration", action="store_true", help="leave the validation structures out"
    )
    add_output(fit, "the estimator, such as model.ltau")


def _add_predict(predict: ArgumentParser) -> None:
    predict.add_argument("estimator", type=Path, help="what fit wrote")
    predict.add_argument("model", type=Path, help="checkpoint, package or compiled model")
    predict.add_argument("structures", type=Path, help="a file that ASE reads, packed or not")
    predict.add_argument("--level", type=float, default=0.9, help="of the upper bound")
    add_output(predict, "the structures, such as out.extxyz")


def _add_compile(compile_: ArgumentParser) -> None:
    compile_.add_argument("model", type=Path, help="checkpoint or package")
    compile_.add_argument(
        "--estimator", type=Path, help="what fit wrote, to be compiled with the model"
    )
    compile_.add_argument("--level", type=float, default=0.9, help="of the upper bound")
    add_output(compile_, "the compiled model, such as model.nequip.pt2")
