"""Where intervals fail, where that was arranged."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import ltau
from ltau.comparison import GaussianPrediction, Learner
from ltau.comparison._slices import _cut, failures, lowest_by_chance, slices
from ltau.comparison._table import Column


class Even(Learner):
    """The same standard deviation everywhere."""

    def fit(self, rows):
        self.line = self.make_model().fit(rows.X, rows.y)
        return self

    def predict(self, X):
        return GaussianPrediction(self.line.predict(X), np.ones(len(X)))


@pytest.fixture(scope="module")
def compared():
    rng = np.random.default_rng(0)
    kind = rng.choice(["loft", "flat", "house"], 600)
    X = {"kind": kind, "size": rng.normal(size=600), "floor": rng.integers(0, 3, 600)}
    y = X["size"] + np.where(kind == "loft", 4.0, 1.0) * rng.normal(size=600)
    return ltau.compare(Even, X, y, model=LinearRegression(), cv=2)


def test_the_slice_that_fails_is_found(compared):
    worst, second, *_ = failures(compared, "Even")
    assert worst.where == "kind = loft"
    inside = compared.observed("Even").inside_90
    lofts = compared.about.table.columns[0].values[compared.rows] == 2  # categories are sorted
    assert worst.n_rows == lofts.sum()
    assert worst.coverage == pytest.approx(inside[lofts].mean())
    assert worst.coverage < lowest_by_chance(compared, "Even") < second.coverage + 0.1
    assert "with kind = loft" in compared.findings()["Where does it fail?"]


def test_numbers_are_cut_in_fifths_and_few_values_one_by_one(compared):
    parts = slices(compared)
    of_size = [part for part in parts if part.name.startswith("size")]
    assert [int(part.rows.sum()) for part in of_size] == [120] * 5
    assert np.sum([part.rows for part in of_size], axis=0).tolist() == [1] * 600
    assert {part.name for part in parts if part.name.startswith("floor")} == {
        "floor = 0",
        "floor = 1",
        "floor = 2",
    }


def test_a_slice_is_called_by_the_values_that_are_in_it():
    column = Column("n", np.repeat(np.arange(10.0), [40, 10, 10, 10, 10, 10, 10, 10, 10, 10]))
    names = [(part.name, int(part.rows.sum())) for part in _cut(column, column.values)]
    assert names[0][0] in ("n = 0", "n from 0 to 1")
    for name, n_rows in names:
        low, high = float(name.split()[2]), float(name.split()[-1])
        assert n_rows == np.count_nonzero((low <= column.values) & (column.values <= high))
    assert sum(n_rows for _, n_rows in names) == len(column.values)


def test_what_the_lowest_share_is_by_chance(compared):
    """Against a slow loop, with other random numbers."""
    rng = np.random.default_rng(1)
    inside = compared.observed("Even").inside_90
    lowest = []
    for _ in range(400):
        shuffled = rng.permutation(inside)
        lowest.append(min(shuffled[part.rows].mean() for part in slices(compared)))
    assert lowest_by_chance(compared, "Even") == pytest.approx(np.mean(lowest), abs=0.005)
