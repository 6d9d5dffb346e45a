"""``ltau predict``: how wrong a model may be on new samples."""

from __future__ import annotations

from argparse import ArgumentParser

from ltau._commands.arguments import add_output
from ltau._commands.arrays.arguments import (
    add_latents,
    add_model,
    add_y_pred,
    describe_files,
    set_run,
)

__all__ = ["HELP", "add_arguments"]

HELP = "predict how wrong a model may be on new samples"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``ltau predict``."""
    describe_files(parser)
    add_model(parser)
    add_latents(parser, "new samples")
    add_y_pred(parser)
    parser.add_argument("--level", type=float, default=0.9, help="of the error bars")
    add_output(parser, "the predictions, such as out.csv")
    set_run(parser, "predict")
