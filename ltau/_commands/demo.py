"""``ltau demo``: train a small model, and fit LTAU to its errors."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module
from pathlib import Path

from ltau._commands.arguments import positive

__all__ = ["HELP", "add_arguments"]

HELP = "train a small model and fit LTAU to its errors"

_EXTRAS = {"diamonds": "demo", "nequip": "nequip,plot"}  # that the demos need


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``ltau demo``."""
    parser.add_argument(
        "name",
        nargs="?",
        choices=list(_EXTRAS),
        default="diamonds",
        help="prices of diamonds, or a force field that NequIP learns",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("ltau-demo"), help="folder for the pictures"
    )
    parser.add_argument("--epochs", type=positive, default=40, help="epochs of training")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random")
    parser.set_defaults(run=_run)


def _run(parser: ArgumentParser, options: Namespace) -> None:
    try:
        demo = import_module(f"ltau._demo.{options.name}")
    except ModuleNotFoundError as error:
        command, extras = f"ltau demo {options.name}", _EXTRAS[options.name]
        parser.exit(1, f"{command} needs {error.name}: pip install 'ltau[{extras}]'\n")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"cannot write to the folder {options.output}: {error.strerror}")
    demo.run(options.output, n_epochs=options.epochs, seed=options.seed)
