"""Models of distributions of the error, on errors whose distribution is known."""

import numpy as np
import pytest
from scipy import stats

for module in ("torch", "lightgbm"):
    pytest.importorskip(module)

from benchmarks.methods.bin_network import BinNetwork  # noqa: E402
from benchmarks.methods.quantile_trees import QuantileTrees  # noqa: E402
from benchmarks.methods.staged import Staged  # noqa: E402

MODELS = pytest.mark.parametrize("model", [QuantileTrees, BinNetwork])


def draw(n, seed, n_obs=1):
    """Half-normal errors, whose scale grows with one of three features."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 3))
    scale = np.exp(X[:, 0])
    return X, scale[:, None] * np.abs(rng.normal(size=(n, n_obs))), scale


def one_split(n):
    order = np.random.default_rng(0).permutation(n)
    return [(order[n // 5 :], order[: n // 5])]


def learn(model, X, errors):
    made = model()
    made.choose(X, errors, one_split(len(X)))
    return made.fit(X, errors)


@MODELS
class TestModels:
    def test_quantiles_are_those_of_the_truth(self, model):
        X, errors, _ = draw(1500, seed=0)
        new, _, scale = draw(500, seed=1)
        predicted = learn(model, X, errors).predict(new)
        for level in (0.3, 0.5, 0.9):
            ratio = predicted.quantile(level) / (scale * stats.halfnorm.ppf(level))
            assert np.median(ratio) == pytest.approx(1, abs=0.08)
            assert np.quantile(np.abs(np.log(ratio)), 0.9) < 0.35
        mean = scale * stats.halfnorm.mean()
        assert predicted.mean().mean() == pytest.approx(mean.mean(), rel=0.1)

    def test_two_runs_agree_to_the_bit(self, model):
        X, errors, _ = draw(300, seed=0)
        one, other = (learn(model, X, errors).predict(X) for _ in range(2))
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        np.testing.assert_array_equal(one.scale, other.scale)


def test_each_observation_counts_as_a_row_of_trees():
    X, errors, _ = draw(300, seed=0, n_obs=2)
    together = learn(QuantileTrees, X, errors)
    apart = QuantileTrees()
    apart.settings, apart.n_stages = together.settings, together.n_stages
    apart.fit(np.repeat(X, 2, axis=0), errors.reshape(-1, 1))
    np.testing.assert_array_equal(together.predict(X).quantile(0.5), apart.predict(X).quantile(0.5))


def test_a_network_that_sees_nothing_predicts_the_shares_of_the_bins():
    # With a constant feature alone, the least cross-entropy is at the observed shares.
    errors = np.random.default_rng(0).exponential(size=(400, 9))
    model = BinNetwork()
    X = np.ones((400, 1))
    model.choose(X, errors, one_split(400))
    model.settings, model.n_stages = model.candidates[0], np.array([600])
    predicted = model.fit(X, errors).predict(X[:1])
    counts = np.histogram(errors, model.bins.edges)[0]
    np.testing.assert_allclose(predicted.probabilities[0], counts / counts.sum(), atol=0.01)


def test_the_least_loss_of_what_is_left_out_chooses():
    table = {  # of each setting, of each sample that is left out, of two parts, after each stage
        "worse": [[[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[3.0, 3.0, 2.0], [3.0, 2.0, 3.0]]],
        "better": [[[0.5, 1.0, 2.0], [2.0, 1.0, 0.4]], [[0.7, 3.0, 2.0], [2.0, 1.0, 0.6]]],
    }

    class Known(Staged):
        candidates = ({"name": "worse"}, {"name": "better"})

        def losses(self, settings, X, errors, others, seen):
            assert len(X) == len(errors) == 3
            assert len(others) == len(seen) == 1
            return np.array(table[settings["name"]][int(others[0, 0])])

        def fit(self, X, errors):
            return self

        def predict(self, X):
            raise NotImplementedError

    X = np.arange(4.0)[:, None]
    splits = [(np.array([1, 2, 3]), np.array([0])), (np.array([0, 2, 3]), np.array([1]))]
    model = Known()
    assert model.choose(X, X, splits) == pytest.approx(0.6 + 0.5)
    assert model.settings == {"name": "better"}
    np.testing.assert_array_equal(model.n_stages, [1, 3])


def test_trees_that_have_nothing_left_to_split_end_early():
    X, errors, _ = draw(300, seed=0)
    X[:, :] = 0.0  # nothing to split by
    model = QuantileTrees()
    losses = model.losses(model.candidates[0], X, errors, X[:50], errors[:50])
    assert losses.shape[0] == 6
    np.testing.assert_array_equal(losses, losses[:, :1].repeat(losses.shape[1], axis=1))
    predicted = learn(QuantileTrees, X, errors).predict(X[:1])
    np.testing.assert_allclose(predicted.quantile(0.5), np.median(errors), rtol=0.05)
