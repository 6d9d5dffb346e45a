"""Cells and tables of Markdown."""

import pytest

for module in ("ase", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.is2rs.measuring.evaluation import Measured  # noqa: E402
from benchmarks.is2rs.report.numbers import cell, table  # noqa: E402

KNOWN, MISSING = Measured(0.814, 0.7, 0.9), Measured(None, reason="all are good.")


def test_a_cell_has_its_interval_as_far_as_there_is_one():
    assert cell(KNOWN) == "0.81 [0.70, 0.90]"
    assert cell(KNOWN, 1) == "0.8 [0.7, 0.9]"
    assert cell(Measured(0.5, reason="No interval.")) == "0.50"
    assert cell(MISSING) == cell(None) == "-"


def test_a_table_has_a_row_for_each_name_that_any_column_has():
    (text,) = table("Score", {"first": {"a": KNOWN}, "second": {"b": KNOWN}}, str.upper)
    assert text.splitlines()[2:] == [
        "| A | 0.81 [0.70, 0.90] | - |",
        "| B | - | 0.81 [0.70, 0.90] |",
    ]


def test_what_is_missing_is_named_by_its_columns_if_they_are_whole_or_else_by_rows():
    whole = {"x": {"a": MISSING, "b": MISSING}, "y": {"a": KNOWN, "b": KNOWN}}
    assert list(table("Score", whole))[1] == "- x: all are good."
    partly = {"x": {"a": MISSING, "b": KNOWN}, "y": {"a": MISSING, "b": KNOWN}}
    assert list(table("Score", partly))[1] == "- a: all are good."


def test_a_table_without_any_number_is_left_out_but_not_its_reason():
    assert list(table("Score", {"x": {"a": MISSING}})) == ["- x: all are good."]
