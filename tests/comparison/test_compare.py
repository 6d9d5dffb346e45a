"""A comparison from end to end, with methods that take no time."""

import importlib
import json
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import ltau
from ltau.comparison import GaussianPrediction, Learner

pytest.importorskip("matplotlib")


class Right(Learner):
    """A line, and the noise that the data have."""

    def fit(self, rows):
        self.line = self.make_model().fit(rows.X, rows.y)
        return self

    def predict(self, X):
        return GaussianPrediction(self.line.predict(X), np.exp(X[:, 1]))


class Vain(Right):
    """Error bars that are far too small, and rank the wrong way round."""

    def predict(self, X):
        return GaussianPrediction(self.line.predict(X), 0.1 * np.exp(-X[:, 1]))


class Broken(Learner):
    """A method that cannot be trained."""

    def fit(self, rows):
        raise RuntimeError("no <licence> found")

    def predict(self, X):
        return None


class Empty(Right):
    """A method that predicts NaN on the second fold."""

    def predict(self, X):
        std = np.ones(len(X)) if self.seed == 0 else np.full(len(X), np.nan)
        return GaussianPrediction(self.line.predict(X), std)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(300, 2))
    town = rng.choice(["Lima", "Oslo"], 300)
    y = 3 * X[:, 0] + (town == "Oslo") + np.exp(X[:, 1]) * rng.normal(size=300)
    return {"a": X[:, 0], "b": X[:, 1], "town": town}, y


@pytest.fixture(scope="module")
def compared(data):
    X, y = data
    methods = [Right, Vain, Broken, Empty]
    return ltau.compare(methods, X, y, model=LinearRegression(), cv=3, target="price <net>")


@pytest.fixture(scope="module")
def written(compared, tmp_path_factory):
    """The report of it, in a folder that was not there."""
    return compared.write(tmp_path_factory.mktemp("report") / "new")


def test_the_right_error_bars_win(compared):
    assert compared.methods == ("Right", "Vain", "Constant")
    right = compared.score("Right", "coverage_90")
    assert right.low < 0.9 < right.high
    assert compared.score("Vain", "coverage_90").high < 0.3
    assert compared.score("Right", "spearman") > 0.3 > 0 > compared.score("Vain", "spearman")
    assert compared.difference("Vain", "Right", "crps").low > 0
    found = compared.findings()
    assert found["What predicts best?"].startswith("Right has the lowest CRPS")
    assert found["What ranks errors best?"].startswith("Right has the highest")
    assert "hold too few targets for Vain" in found["What covers?"]


def test_scores_are_those_of_all_test_rows(compared, data):
    observed = compared.observed("Right")
    np.testing.assert_array_equal(observed.y, data[1][compared.rows])
    np.testing.assert_array_equal(np.sort(compared.rows), np.arange(300))
    assert float(compared.score("Right", "mae")) == pytest.approx(observed.error.mean())
    by_fold = [row["mae"] for row in compared.by_fold() if row["method"] == "Right"]
    assert np.mean(by_fold) == pytest.approx(observed.error.mean())  # of equal folds
    with pytest.raises(ValueError, match="'Right', 'Vain', 'Constant', got 'Wrong'"):
        compared.score("Wrong", "mae")


def test_a_method_that_fails_is_lost_alone_and_the_report_says_why(compared):
    assert compared.lost["Broken"].startswith("fold 1: RuntimeError: no <licence> found (test_comp")
    assert "fold 2: ValueError: Expected finite" in compared.lost["Empty"]
    assert "100 of 100 rows" in compared.lost["Empty"]
    assert "Lost: Broken: fold 1: RuntimeError" in str(compared)


def test_if_the_model_fails_there_is_no_comparison(data):
    X, y = data
    with pytest.raises(ValueError, match="positive"):
        ltau.compare([Right], X, y, model=LinearRegression(positive="?"), cv=2)


class Page(HTMLParser):
    """What a page shows, and what it would load."""

    def __init__(self):
        super().__init__()
        self.text, self.loads, self.open = "", [], []

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_report_is_one_page_that_needs_no_other_file(written):
    assert {p.name for p in written.parent.iterdir()} == {
        "comparison.json",
        "comparison.png",
        "report.html",
    }
    page = Page()
    page.feed(written.read_text("utf-8"))
    assert page.open == []
    assert len(page.loads) == 2
    assert all(load.startswith("data:image/png;base64,") for load in page.loads)
    for shown in ("price <net>", "Right", "no <licence> found", "One-hot encoded: town"):
        assert shown in page.text
    assert (written.parent / "comparison.png").stat().st_size > 10_000


def test_nothing_that_is_undefined_is_shown_as_a_number(compared, written):
    data = (written.parent / "comparison.json").read_text("utf-8")
    results = json.loads(data, parse_constant=lambda name: pytest.fail(name))
    assert results["methods"]["Constant"]["scores"]["spearman"]["value"] is None
    assert results == compared.to_dict()
    for text in (str(compared), written.read_text("utf-8")):
        assert " nan" not in text.lower().replace("got nan", "")


def test_scores_are_given_as_a_frame(compared):
    pytest.importorskip("pandas")
    frame = compared.to_frame().set_index(["method", "score"])
    assert len(frame) == 3 * 7
    mae = compared.score("Vain", "mae")
    assert tuple(frame.loc["Vain", "mae"]) == (float(mae), mae.low, mae.high)
    assert np.isnan(frame.loc["Constant", "spearman"]["value"])


def test_it_prints_in_a_line_and_shows_a_table_in_a_notebook(compared):
    assert repr(compared) == "<Comparison of 3 methods on 300 rows in 3 folds>"
    assert compared._repr_html_().count("<tr>") == 4


def test_costs_are_in_units_of_the_model_alone(compared):
    assert compared.cost("Constant") == (1.0, 1.0)
    rows = [row for row in compared.by_fold() if row["method"] == "Right"]
    assert all(row["fit_seconds"] >= 0 for row in rows)


class Watched(Right):
    """A method that tells what it was given."""

    seen = []  # noqa: RUF012

    def fit(self, rows):
        self.seen.append((self.seed, rows))
        return super().fit(rows)


def test_groups_stay_together_and_each_fold_has_a_seed(data):
    X, y = data
    Watched.seen.clear()
    groups = np.char.add("g", (np.arange(300) // 10).astype(str))
    compared = ltau.compare(
        [Watched], X, y, groups=groups, model=LinearRegression(), cv=3, random_state=5
    )
    assert [seed for seed, _ in Watched.seen] == [5, 6, 7]
    for (_, rows), fold in zip(Watched.seen, np.split(compared.rows, 3), strict=True):
        assert not set(rows.groups) & set(groups[fold])
    assert "30 groups" in str(compared)


def test_groups_of_one_are_rows(data):
    X, y = data
    alone = ltau.compare([Right], X, y, model=LinearRegression(), cv=3)
    of_one = ltau.compare([Right], X, y, groups=np.arange(300), model=LinearRegression(), cv=3)
    assert of_one.score("Right", "crps") == pytest.approx(alone.score("Right", "crps"), rel=0.05)
    assert not np.isnan(of_one.score("Right", "crps").low)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((5, 2)), "y": np.arange(5)}, "at least 100 rows, got 5"),
        ({"y": np.arange(7)}, r"y of shape \(300,\), got \(7,\)"),
        ({"groups": np.zeros(300, int)}, "at least 3 groups for 3 folds, got 1"),
        ({"groups": np.arange(9)}, "group"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message, data):
    given = {"X": data[0], "y": data[1], "model": LinearRegression(), "cv": 3} | change
    with pytest.raises(ValueError, match=message):
        ltau.compare([Right], given.pop("X"), given.pop("y"), **given)


CODE = """
from sklearn.linear_model import LinearRegression
from ltau.comparison import GaussianPrediction, Learner
import numpy as np

CALLS = []

class Mine(Learner):
    def fit(self, rows):
        CALLS.append(self.seed)
        return self

    def predict(self, X):
        return GaussianPrediction(np.zeros(len(X)), np.full(len(X), 2.0))
"""


def test_the_cache_knows_data_settings_and_the_code_of_a_method(data, tmp_path, monkeypatch):
    X, y = data
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = tmp_path / "method_of_a_user.py"
    module.write_text(CODE, "utf-8")

    def calls(y=y, **settings):
        """Which folds were measured, and the width of the intervals."""
        importlib.invalidate_caches()
        sys.modules.pop("method_of_a_user", None)
        settings = {"model": LinearRegression(), "cv": 3, "cache": tmp_path / "cells"} | settings
        compared = ltau.compare("method_of_a_user:Mine", X, y, **settings)
        return sys.modules["method_of_a_user"].CALLS, compared.by_fold()[0]["width_90"]

    assert calls()[0] == [0, 1, 2]
    again, width = calls()
    assert again == []
    next((tmp_path / "cells").iterdir()).unlink()
    assert len(calls()[0]) <= 1  # it may have been a cell of the reference
    assert calls(y=y + 1)[0] == [0, 1, 2]
    assert calls(model=LinearRegression(fit_intercept=False))[0] == [0, 1, 2]
    module.write_text(CODE.replace("2.0", "4.0"), "utf-8")
    changed, wider = calls()
    assert changed == [0, 1, 2]
    assert wider == pytest.approx(2 * width)
    assert calls(cache=None)[0] == [0, 1, 2]
