"""Scores and labels of many systems."""

import numpy as np
import pytest

for module in ("ase", "joblib", "nequip"):
    pytest.importorskip(module)

from dataclasses import replace  # noqa: E402

from benchmarks.is2rs.measuring.columns import bad, detect, score_columns, shown  # noqa: E402
from benchmarks.is2rs.measuring.scores import scores  # noqa: E402


def test_a_column_holds_the_score_of_each_system(relax):
    relaxed = relax(4)
    for first in (None, 3):
        columns = score_columns(relaxed, first)
        rows = [scores(each.path, first) for each in relaxed]
        assert list(columns) == list(rows[0])
        for name, column in columns.items():
            assert column.tolist() == [row[name] for row in rows]


def test_scores_that_some_lack_are_left_out(relax):
    names = score_columns(relax(1, ensemble=True) + relax(1))
    assert not [name for name in names if name.startswith("spread")]


def test_one_way_to_put_steps_and_atoms_together_is_shown(relax):
    columns = score_columns(relax(3, ensemble=True))
    found = shown(columns)
    assert list(found) == [
        "expected error",
        "P(error > tolerance)",
        "OOD score",
        "distance",
        "spread",
        "number of atoms",
        "initial force",
        "displacement",
        "steps",
        "constant",
    ]
    assert found["spread"] is columns["spread, max step, mean atom"]


def test_unknown_labels_are_nan_and_do_not_count(relax):
    relaxed = relax(8)
    labels = relaxed[0].judgement.labels | {"L1": None}
    relaxed[0] = replace(relaxed[0], judgement=replace(relaxed[0].judgement, labels=labels))
    truth = bad(relaxed, "L1")
    assert np.isnan(truth[0])
    assert truth[1:].tolist() == [not each.path.converged for each in relaxed[1:]]
    assert detect(relaxed, score_columns(relaxed), "L1", 5)["constant"].n == 7
