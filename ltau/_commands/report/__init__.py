"""``ltau report``: a page of HTML with structures, coloured by how wrong their forces may be."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from ltau._commands.arguments import add_output, positive
from ltau._commands.running import runner

__all__ = ["HELP", "add_arguments"]

HELP = "show where forces may be wrong, on one page of HTML"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``ltau report``."""
    parser.add_argument(
        "structures",
        type=Path,
        help="with columns forces_uncertainty and ood_score, as predict of ltau frames, mace and "
        "nequip writes them, or a dump of LAMMPS; a file that ASE reads, packed or not",
    )
    parser.add_argument(
        "--truth", type=Path, help="the same structures, labelled, to show true errors too"
    )
    parser.add_argument("--table", type=Path, help="what a monitor wrote of the run: run.csv")
    parser.add_argument(
        "--atoms", type=positive, default=20_000, help="about how many atoms are drawn, of more"
    )
    add_output(parser, "the page, such as report.html")
    parser.set_defaults(run=runner("ltau report", "ltau._commands.report.runs", "ase"))
