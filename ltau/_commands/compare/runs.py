"""What ``ltau compare`` runs, with the options of the command line."""

from __future__ import annotations

import sys
from argparse import Namespace

import matplotlib.figure  # noqa: F401  # missing, it is to be missed before hours of work

from ltau._inputs.csv_files import CSVTable, read_csv
from ltau.comparison import compare

__all__ = ["COMMANDS"]


def _compare(options: Namespace) -> None:
    """Compare methods, print the table, and write the report."""
    sys.path.insert(0, "")  # modules of the user lie where the command runs
    table = read_csv(options.table)
    target = table.numbers(options.target)
    groups = None if options.group is None else table.text(options.group)
    comparison = compare(
        [*(options.methods or ["all"]), *options.own_methods],
        {name: table.column(name) for name in _features(table, options)},
        target,
        groups=groups,
        model=options.model,
        cv=options.folds,
        random_state=options.seed,
        categorical=options.categorical,
        target=options.target,
        cache=options.output / "cells",
    )
    report = comparison.write(options.output)
    print(f"{comparison}\n\nReport: {report}")


def _features(table: CSVTable, options: Namespace) -> list[str]:
    """Name the columns to learn from: all but the target, the groups, and those to leave out."""
    unknown = [name for name in options.drop if name not in table.names]
    if unknown:
        raise ValueError(f"Expected columns of {', '.join(table.names)} to drop, got {unknown}.")
    left_out = {options.target, options.group, *options.drop}
    return [name for name in table.names if name not in left_out]


COMMANDS = {"compare": _compare}
