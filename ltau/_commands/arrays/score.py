"""``ltau score``: how good predicted errors are, on held-out samples."""

from __future__ import annotations

from argparse import ArgumentParser

from ltau._commands.arrays.arguments import (
    add_latents,
    add_model,
    add_observed,
    describe_files,
    set_run,
)

__all__ = ["HELP", "add_arguments"]

HELP = "score predicted errors on held-out samples"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``ltau score``."""
    describe_files(parser)
    add_model(parser)
    add_latents(parser, "samples that the model was not trained on")
    add_observed(parser)
    parser.add_argument(
        "--groups", metavar="FILE", help="group of each sample, where samples are not independent"
    )
    parser.add_argument("--level", type=float, default=0.9, help="of the error bars")
    set_run(parser, "score")
