"""``ltau calibrate``: correct an estimator by held-out samples."""

from __future__ import annotations

from argparse import ArgumentParser

from ltau._commands.arguments import add_output
from ltau._commands.arrays.arguments import (
    add_latents,
    add_model,
    add_observed,
    describe_files,
    set_run,
)

__all__ = ["HELP", "add_arguments"]

HELP = "correct an estimator by held-out samples, so that its error bars hold"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``ltau calibrate``."""
    describe_files(parser)
    add_model(parser)
    add_latents(parser, "samples that the model was not trained on")
    add_observed(parser)
    add_output(parser, "the calibrated estimator, such as calibrated.ltau")
    set_run(parser, "calibrate")
