import numpy as np
import pytest
from scipy import stats


class Exponential:
    """Exponential errors, to show that the metrics need no ErrorDistribution."""

    def __init__(self, mean):
        self.mean = np.asarray(mean, dtype=float)
        self._frozen = stats.expon(scale=self.mean[:, None])

    def __len__(self):
        return len(self.mean)

    def __getitem__(self, index):
        return Exponential(self.mean[index])

    def pdf(self, errors):
        return self._frozen.pdf(errors)

    def cdf(self, errors):
        return self._frozen.cdf(errors)

    def std(self):
        return self._frozen.std()[:, 0]

    def crps(self, errors):
        return errors + self.mean[:, None] * (0.5 - 2 * self._frozen.cdf(errors))


@pytest.fixture
def exponential():
    return Exponential


@pytest.fixture
def rng():
    return np.random.default_rng(0)
