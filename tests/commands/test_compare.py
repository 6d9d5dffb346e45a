"""``ltau compare``, on a small table."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from ltau.cli import main

METHOD = """
import numpy as np
from sklearn.linear_model import Ridge
from ltau.comparison import GaussianPrediction, Learner

class Line(Learner):
    def fit(self, rows):
        self.line = Ridge().fit(rows.X, rows.y)
        self.std = np.std(rows.y - self.line.predict(rows.X))
        self.n_features = rows.X.shape[1]
        return self

    def predict(self, X):
        return GaussianPrediction(self.line.predict(X), np.full(len(X), self.std))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a table, and a module of the user."""
    rng = np.random.default_rng(0)
    size, town = rng.normal(size=120), rng.choice(["Oslo", "Rome"], 120)
    price = 3 * size + (town == "Oslo") + rng.normal(size=120)
    columns = zip(size, town, np.arange(120) // 3, np.arange(120), price, strict=True)
    lines = [",".join(map(str, row)) for row in columns]
    (tmp_path / "data.csv").write_text("\n".join(["size,town,owner,id,price", *lines]), "utf-8")
    (tmp_path / "own_method.py").write_text(METHOD, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # and takes away what the command adds
    return tmp_path


def test_a_table_and_a_method_of_the_user_make_a_report(folder, capsys):
    arguments = ["compare", "data.csv", "--target", "price", "--group", "owner", "--drop", "id"]
    arguments += ["--methods", "Constant", "--method", "own_method:Line", "--folds", "2"]
    main([*arguments, "-o", "report"])
    shown = capsys.readouterr().out
    assert "price: 120 rows, 2 columns (1 of categories), 40 groups, 2 folds, model trees" in shown
    assert "Line" in shown
    assert f"Report: {folder.name}" not in shown
    results = json.loads((folder / "report" / "comparison.json").read_text("utf-8"))
    assert list(results["methods"]) == ["Constant", "Line"]
    assert results["columns"] == ["size", "town"]
    assert results["methods"]["Line"]["scores"]["coverage_90"]["value"] > 0.8
    assert "Line" in (folder / "report" / "report.html").read_text("utf-8")
    assert len(list((folder / "report" / "cells").iterdir())) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "rent"], "a column 'rent' in data.csv, got size, town"),
        (["--target", "town"], "numbers in column 'town' of data.csv, got"),
        (["--target", "price", "--group", "x"], "a column 'x' in data.csv"),
        (["--target", "price", "--drop", "x"], "to drop, got ['x']"),
        (["--target", "price", "--methods", "Oracle"], "got 'Oracle'"),
        (["--target", "price", "--method", "nowhere:Line"], "No module named 'nowhere'"),
        (["--target", "price", "--folds", "1"], "at least 2 folds"),
    ],
)
def test_what_cannot_be_compared_ends_with_one_line(arguments, message, folder, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["compare", "data.csv", *arguments])
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) == 1
    assert not (folder / "ltau-comparison").exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1,2"] * 5, "at least 100 rows, got 5"),
        (["1,2", ",3"], "column 'a' of data.csv without missing values, got 1 missing of 2"),
    ],
)
def test_tables_that_are_too_small_or_have_holes_are_refused(lines, message, folder, capsys):
    (folder / "data.csv").write_text("\n".join(["a,price", *lines]), "utf-8")
    with pytest.raises(SystemExit, match="1"):
        main(["compare", "data.csv", "--target", "price"])
    assert message in capsys.readouterr().err
