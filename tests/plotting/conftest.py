import matplotlib
import numpy as np
import pytest

from ltau import ErrorDistribution, LTAUEstimator

matplotlib.use("Agg")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def distribution(rng):
    """Thirty distributions over log bins, each stretched by a factor of its own."""
    edges = np.concatenate([[0.0], np.geomspace(0.01, 10, 12)])
    return ErrorDistribution(rng.dirichlet(np.ones(12), size=30), edges, rng.uniform(0.5, 2, 30))


@pytest.fixture
def errors(rng):
    return rng.exponential(size=30)


@pytest.fixture
def predicted(rng):
    return rng.exponential(size=30)


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


@pytest.fixture
def fitted(rng):
    """An estimator with strata, and the latents, errors and strata to test it on."""
    latents, strata = rng.normal(size=(120, 3)), np.repeat([1, 8], 60)
    trajectories = rng.exponential(np.exp(latents[:, :1]) * strata[:, None], size=(120, 20))
    train, test = np.arange(0, 120, 2), np.arange(1, 120, 2)
    estimator = LTAUEstimator(n_neighbors=3).fit(latents[train], trajectories[train], strata[train])
    return estimator, latents[test], trajectories[test, -1], strata[test]
