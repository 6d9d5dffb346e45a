"""The command ``ltau``."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ltau import __version__

__all__ = ["main"]

_MODELS_ARE_CODE = (
    "Loading a checkpoint or a package of NequIP runs code that it holds, and a compiled model is "
    "code: give only files that you trust. What fit writes is data alone."
)

_DEMOS = {"diamonds": "demo", "nequip": "nequip,plot"}  # with the extras that they need


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
    _add_demo(commands.add_parser("demo", help="train a small model and fit LTAU to its errors"))
    nequip = commands.add_parser("nequip", help="how wrong the forces of a NequIP model are")
    _add_nequip(nequip.add_subparsers(dest="nequip_command", required=True))
    options = parser.parse_args(arguments)
    options.run(parser, options)


def _add_demo(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name",
        nargs="?",
        choices=list(_DEMOS),
        default="diamonds",
        help="prices of diamonds (default), or a force field that NequIP learns",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("ltau-demo"), help="folder for the pictures"
    )
    parser.add_argument("--epochs", type=_positive, default=40, help="epochs of training")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random")
    parser.set_defaults(run=_demo)


def _demo(parser: ArgumentParser, options: Namespace) -> None:
    try:
        demo = import_module(f"ltau._demo.{options.name}")
    except ModuleNotFoundError as error:
        command, extras = f"ltau demo {options.name}", _DEMOS[options.name]
        parser.exit(1, f"{command} needs {error.name}: pip install 'ltau[{extras}]'\n")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"cannot write to the folder {options.output}: {error.strerror}")
    demo.run(options.output, n_epochs=options.epochs, seed=options.seed)


def _add_nequip(commands: Any) -> None:
    fit = _add_command(commands, "fit", "fit an estimator to the folder of a training")
    fit.add_argument("training", type=Path, help="folder of nequip-train, with a recorder's logs")
    fit.add_argument("--checkpoint", type=Path, help="by default last.ckpt, in the folder or below")
    fit.add_argument("--target", choices=["forces", "energy"], default="forces")
    fit.add_argument("--n-neighbors", type=_positive, help="by default validation chooses")
    fit.add_argument("--burn-in", type=_number, help="first epochs to leave out (a third)")
    fit.add_argument("--scaling", choices=["none", "standardize", "whiten"])
    fit.add_argument(
        "--environment",
        type=_environment,
        default="auto",
        help="cutoff in Å of the neighbours that count, none, or auto: validation chooses",
    )
    fit.add_argument("--groups", help="entry of atoms.info that tells which frames are related")
    fit.add_argument(
        "--no-calibration", action="store_true", help="leave the validation structures out"
    )
    _add_output(fit, "the estimator, such as model.ltau")

    predict = _add_command(commands, "predict", "predict forces and how wrong they may be")
    predict.add_argument("estimator", type=Path, help="what fit wrote")
    predict.add_argument("model", type=Path, help="checkpoint, package or compiled model")
    predict.add_argument("structures", type=Path, help="a file that ASE reads, packed or not")
    predict.add_argument("--level", type=float, default=0.9, help="of the upper bound")
    _add_output(predict, "the structures, such as out.extxyz")

    compile_ = _add_command(commands, "compile", "compile a model that gives its latents too")
    compile_.add_argument("model", type=Path, help="checkpoint or package")
    compile_.add_argument(
        "--estimator", type=Path, help="what fit wrote, to be compiled with the model"
    )
    compile_.add_argument("--level", type=float, default=0.9, help="of the upper bound")
    _add_output(compile_, "the compiled model, such as model.nequip.pt2")


def _add_command(commands: Any, name: str, purpose: str) -> ArgumentParser:
    parser: ArgumentParser = commands.add_parser(name, help=purpose, epilog=_MODELS_ARE_CODE)
    return parser


def _add_output(parser: ArgumentParser, output: str) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, help=output)
    parser.add_argument("--device", default="cpu", help="where the model is to run")
    parser.set_defaults(run=_nequip)


def _nequip(parser: ArgumentParser, options: Namespace) -> None:
    command = f"ltau nequip {options.nequip_command}"
    if not options.output.parent.is_dir():
        parser.error(f"cannot write {options.output}: there is no such folder")
    try:
        from ltau._commands.nequip import COMMANDS
    except ModuleNotFoundError as error:
        parser.exit(1, f"{command} needs {error.name}: pip install 'ltau[nequip]'\n")
    try:
        COMMANDS[options.nequip_command](options)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{command}: {error}\n")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {number}")
    return number


def _environment(text: str) -> float | str | None:
    return {"auto": "auto", "none": None}[text] if text in ("auto", "none") else float(text)


def _number(text: str) -> float:
    """Keep apart 1, a number of epochs, and 1.0, a fraction of them."""
    return int(text) if text.isdecimal() else float(text)
