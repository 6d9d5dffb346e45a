"""The benchmark of trees beyond their data: a tiny run, and the cuts."""

import numpy as np
import pytest

pytest.importorskip("pooch")

from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.harness.data import Dataset
from benchmarks.trees import KINDS, cuts, lines, measure


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) * [9, 1]
    X[:, 1] += X[:, 0]  # both lie along one direction
    return Dataset(X, X[:, 0], np.arange(300)[:, None] % 10 == np.arange(10))


def test_a_cut_leaves_out_a_fifth_at_either_end(dataset):
    along, ends = dataset.X.sum(axis=1), []
    for seen, new in cuts(dataset):
        assert sorted([*seen, *new]) == list(range(300))
        assert len(new) == 60
        ends.append(along[new].mean())
        assert abs(along[new]).min() > np.quantile(abs(along), 0.4)
    assert ends[0] * ends[1] < 0


def test_rows_beyond_the_data_are_flagged_and_leaves_alone_do_not_tell(dataset):
    answers = measure(HistGradientBoostingRegressor(max_iter=10), dataset, 1)
    assert {kind: len(of_kind) for kind, of_kind in answers.items()} == dict(
        zip(KINDS, (1, 1, 2), strict=True)
    )
    (inside,), (moved,) = answers["inside"], answers["moved"]
    assert inside.flagged < 0.2
    assert 0.7 < inside.covered <= 1
    assert moved.flagged > 0.9
    assert moved.flagged_by_leaves < 0.5
    assert np.isnan(moved.covered)
    one, average = lines("trees", {"a": answers["cut"]})
    assert one[2:] == average[2:]
