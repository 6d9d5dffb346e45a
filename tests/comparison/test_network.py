"""The network that methods are built on."""

import numpy as np
import pytest

pytest.importorskip("torch")

from ltau.comparison.network import Network


def test_held_out_rows_are_watched_and_teach_nothing(rows):
    X, y, _ = rows
    watched = Network(4).fit(X[:150], y[:150], held_out=(X[150:], y[150:]))
    alone = Network(4).fit(X[:150], y[:150])
    np.testing.assert_array_equal(watched.predict(X), alone.predict(X))
    final = np.abs(alone.predict(X[150:]) - y[150:])
    assert watched.held_out_errors_.shape == (50, 4)
    np.testing.assert_allclose(watched.held_out_errors_[:, -1], final, rtol=1e-5)


def test_the_readout_of_the_latents_is_the_prediction(rows):
    network = Network(2, dropout=0.5).fit(rows.X, rows.y)
    np.testing.assert_allclose(
        network.readout(network.latents(rows.X)), network.predict(rows.X), rtol=1e-6
    )


def test_a_feature_that_was_constant_is_not_blown_up(rows):
    X = np.column_stack([rows.X, np.full(200, 0.1)])  # whose deviation is rounding
    network = Network(2).fit(X, rows.y)
    X[:, -1] = 0.2
    assert np.abs(network.latents(X)).max() < 100


def test_rows_of_weight_zero_teach_nothing(rows):
    X, y, _ = rows
    wrong = np.arange(200) < 50
    spoilt = np.where(wrong, y[::-1], y)
    plain, weighted = (Network(30).fit(X, spoilt, w) for w in (None, 1.0 - wrong))
    error, weighted_error = (np.abs(m.predict(X) - y)[~wrong].mean() for m in (plain, weighted))
    assert weighted_error < 0.7 * error


def test_it_learns_and_logs_that_it_does(rows):
    network = Network(30).fit(rows.X, rows.y)
    assert network.errors_.shape == (200, 30)
    assert network.errors_[:, -1].mean() < 0.5 * network.errors_[:, 0].mean()
