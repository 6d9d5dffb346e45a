"""The network that methods are built on."""

import numpy as np
import pytest

for module in ("torch",):
    pytest.importorskip(module)

from benchmarks.harness.network import Network, member  # noqa: E402


def test_held_out_rows_are_watched_and_teach_nothing(rows):
    X, y = rows
    watched = Network(4).fit(X[:300], y[:300], held_out=(X[300:], y[300:]))
    alone = Network(4).fit(X[:300], y[:300])
    np.testing.assert_array_equal(watched.predict(X), alone.predict(X))
    final = np.abs(alone.predict(X[300:]) - y[300:])
    assert watched.held_out_errors_.shape == (100, 4)
    np.testing.assert_allclose(watched.held_out_errors_[:, -1], final, rtol=1e-5)


def test_the_readout_of_the_latents_is_the_prediction(rows):
    network = Network(2, dropout=0.5).fit(*rows)
    np.testing.assert_allclose(
        network.readout(network.latents(rows[0])), network.predict(rows[0]), rtol=1e-6
    )


def test_a_feature_that_was_constant_is_not_blown_up(rows):
    X = np.column_stack([rows[0], np.full(400, 0.1)])  # whose deviation is rounding
    network = Network(2).fit(X, rows[1])
    X[:, -1] = 0.2
    assert np.abs(network.latents(X)).max() < 100


def test_rows_of_weight_zero_teach_nothing(rows):
    X, y = rows
    wrong = np.arange(400) < 100
    spoilt = np.where(wrong, y[::-1], y)
    plain, weighted = (Network(30).fit(X, spoilt, w) for w in (None, 1.0 - wrong))
    error, weighted_error = (np.abs(m.predict(X) - y)[~wrong].mean() for m in (plain, weighted))
    assert weighted_error < 0.7 * error


def test_it_learns_and_logs_that_it_does(rows):
    network = Network(30).fit(*rows)
    assert network.errors_.shape == (400, 30)
    assert network.errors_[:, -1].mean() < 0.5 * network.errors_[:, 0].mean()


def test_members_of_an_ensemble_differ_by_their_seeds():
    first, second = member(0, 3, seed=7), member(1, 3, seed=7, dropout=0.1)
    assert (first.seed, first.dropout) == (7, 0.0)
    assert (second.seed, second.dropout) == (1007, 0.1)
