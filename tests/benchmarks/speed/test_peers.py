"""The comparison of speeds: who answers answers rightly, and a quick run from end to end."""

import itertools
import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

pytest.importorskip("torch")

from benchmarks.speed.peers.__main__ import added, main, make_all, turns
from benchmarks.speed.peers.answers import ALONE, PEERS
from benchmarks.speed.peers.samples import FULL, QUICK, batches, prepare


@pytest.fixture(scope="module")
def given():
    return prepare(QUICK)


@pytest.fixture(scope="module")
def queries(given):
    return given.queries[:50]


def ask(name, given, queries):
    package = name.split()[0].strip(",").lower()
    if package in ("crepes", "mapie"):
        pytest.importorskip(package)
    return PEERS[name].make(given)(queries)


def nearest(given, queries, k=10):
    distances = cdist(queries.astype(float), given.X.astype(float))
    return np.argsort(distances, axis=1)[:, :k]


@pytest.mark.parametrize("name", ["ltau", "ltau, 200 prototypes"])
def test_ours_gives_all_of_each_row(given, queries, name):
    predicted, summary = ask(name, given, queries)
    np.testing.assert_array_equal(predicted, given.network.predict(queries))
    for each in summary:
        assert each.shape == (50,)
        assert (each > 0).all()


def test_nearest_neighbours_average_the_errors(given, queries):
    predicted, errors = ask("scikit-learn, KNeighborsRegressor", given, queries)
    np.testing.assert_array_equal(predicted, given.network.predict(queries))
    expected = given.errors.mean(axis=1)[nearest(given, queries)].mean(axis=1)
    np.testing.assert_allclose(errors, expected, rtol=1e-5)


def test_intervals_of_crepes_lie_around_the_prediction(given, queries):
    intervals = ask("crepes, nearest neighbours", given, queries)
    np.testing.assert_allclose(intervals.mean(axis=1), given.network.predict(queries), atol=1e-6)
    assert np.ptp(intervals, axis=1).std() > 0


def test_intervals_of_mapie_have_one_width_which_covers_what_was_held_out(given, queries):
    predicted, intervals = ask("MAPIE, split conformal", given, queries)
    np.testing.assert_allclose(predicted, given.network.predict(queries), rtol=1e-6)
    widths = np.ptp(intervals[:, :, 0], axis=1)
    X, y = given.held_out
    residuals = np.sort(np.abs(y - given.network.predict(X)))
    np.testing.assert_allclose(widths / 2, residuals[int(np.ceil(0.9 * (len(y) + 1))) - 1])


@pytest.mark.parametrize("n", [4, 10])
def test_ensembles_ask_so_many_networks(given, queries, n):
    mean, spread = ask(f"ensemble of {n}", given, queries)
    each = [network.predict(queries) for network in given.members[:n]]
    assert len(each) == n
    np.testing.assert_allclose(mean, np.mean(each, axis=0))
    np.testing.assert_allclose(spread, np.std(each, axis=0))
    assert (spread > 0).all()


@pytest.mark.parametrize("profile", [FULL, QUICK])
def test_batches_are_whole_and_follow_each_other(profile):
    queries = np.arange(profile.n_queries)
    for size, n in profile.rounds.items():
        found = list(batches(queries, size, n))
        assert [len(batch) for batch in found] == [size] * n
        assert all(a[0] != b[0] for a, b in itertools.pairwise(found))


def test_all_are_asked_in_turn_and_the_first_round_warms_up():
    asked = []
    calls = {name: lambda X, name=name: asked.append((name, X)) for name in "ab"}
    times = turns(calls, [1, 2, 3])
    assert asked == [(name, batch) for batch in (1, 2, 3) for name in "ab"]
    assert {name: len(each) for name, each in times.items()} == {"a": 2, "b": 2}


def test_the_pass_of_the_same_round_is_taken_off():
    found = added({ALONE: np.array([1.0, 2.0]), "other": np.array([4.0, 7.0])})
    assert {name: each.tolist() for name, each in found.items()} == {
        ALONE: [1.0, 2.0],
        "other": [3.0, 5.0],
    }


def test_a_peer_that_is_not_installed_is_named(given, monkeypatch):
    monkeypatch.setitem(sys.modules, "crepes", None)  # as Python has what it must not import
    calls, missing = make_all(given)
    assert missing["crepes, nearest neighbours"] == "crepes"
    assert list(calls) == [name for name in PEERS if name not in missing]


@pytest.mark.benchmark_run
def test_a_quick_run_has_a_line_for_each(capsys):
    main(["--quick"])
    text = capsys.readouterr().out
    assert text.startswith("2,000 rows of 32 features")
    for name, peer in PEERS.items():
        measured = text.count(f"| {name} | {peer.gives} | ")
        assert measured + text.count(f"Left out: {name}; ") == 1
