"""``ltau fit``: an estimator, from latents and errors of the training samples."""

from __future__ import annotations

from argparse import ArgumentParser

from ltau._commands.arguments import add_output, count_or_fraction, positive
from ltau._commands.arrays.arguments import add_latents, describe_files, set_run

__all__ = ["HELP", "add_arguments"]

HELP = "fit an estimator to latents and errors of the training samples"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``ltau fit``."""
    describe_files(parser)
    add_latents(parser, "the training samples")
    parser.add_argument(
        "errors",
        metavar="ERRORS",
        help="FILE of their absolute errors, one column for each epoch; or the folder of a log",
    )
    parser.add_argument("--targets", metavar="FILE", help="what the model should have predicted")
    parser.add_argument(
        "--groups", metavar="FILE", help="group of each sample, where samples are not independent"
    )
    parser.add_argument("--n-neighbors", type=positive, default=10, help="neighbours that count")
    parser.add_argument(
        "--burn-in",
        type=count_or_fraction,
        default="1/3",
        help="first epochs left out: a number, or a fraction of them",
    )
    parser.add_argument(
        "--scaling",
        choices=["none", "standardize", "whiten"],
        default="whiten",
        help="what is done to latents before distances are measured",
    )
    add_output(parser, "the estimator, such as model.ltau")
    set_run(parser, "fit")
