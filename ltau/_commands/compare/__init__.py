"""``ltau compare``: methods that put error bars on a regression, on a table of the user."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from ltau._commands.running import runner

__all__ = ["HELP", "add_arguments"]

HELP = "compare methods that put error bars on a regression, on a table of yours"

_MODELS = ("trees", "network", "xgboost", "lightgbm")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``ltau compare``."""
    parser.epilog = (
        "Columns of text are categories, and are one-hot encoded. --method imports and runs the "
        "code of the module that it names."
    )
    parser.add_argument("table", type=Path, help="CSV file whose first line names the columns")
    parser.add_argument("--target", required=True, help="column to predict")
    parser.add_argument("--group", help="column that says which rows belong together")
    parser.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="methods of ltau, such as LTAU 'Split conformal'; by default all",
    )
    parser.add_argument(
        "--method",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        dest="own_methods",
        help="a method of yours, a subclass of ltau.comparison.Learner; may be given several times",
    )
    parser.add_argument(
        "--model", choices=_MODELS, default="trees", help="what the error bars are for"
    )
    parser.add_argument(
        "--categorical",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns whose numbers are categories",
    )
    parser.add_argument(
        "--drop", nargs="+", default=[], metavar="COLUMN", help="columns to leave out"
    )
    parser.add_argument("--folds", type=int, default=5, help="number of folds")
    parser.add_argument("--seed", type=int, default=0, help="seed of the folds")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("ltau-comparison"),
        help="folder for the report; finished parts are not run again",
    )
    parser.set_defaults(run=runner("ltau compare", "ltau._commands.compare.runs", "compare"))
