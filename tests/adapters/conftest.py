"""A small cluster of copper and gold, cheap latents of its atoms, and an estimator."""

import numpy as np
import pytest

from ltau import LTAUEstimator


def _cluster(seed, spread=0.1):
    """Eight atoms of Cu3Au, displaced at random."""
    atoms = pytest.importorskip("ase.build").bulk("Cu", cubic=True).repeat((2, 1, 1))
    atoms.pbc = False
    atoms.symbols[[0, 4]] = "Au"
    atoms.rattle(spread, seed=seed)
    return atoms


def _latents(atoms, calculator=None):
    """How many neighbours an atom has in each of four smooth shells."""
    distances = atoms.get_all_distances()
    np.fill_diagonal(distances, np.inf)
    shells = [np.exp(-((distances - radius) ** 2)).sum(axis=1) for radius in (2.0, 2.5, 3.0, 4.0)]
    return np.stack(shells, axis=1)


@pytest.fixture(scope="session")
def make_cluster():
    return _cluster


@pytest.fixture(scope="session")
def latents_of():
    return _latents


@pytest.fixture(scope="session")
def training():
    """Latents, error trajectories and elements of 40 clusters' atoms."""
    frames = [_cluster(seed) for seed in range(40)]
    rng = np.random.default_rng(0)
    elements = np.concatenate([frame.numbers for frame in frames])
    size = np.where(elements == 79, 0.3, 0.1)[:, None]  # gold is harder
    errors = rng.exponential(size, size=(len(elements), 30))
    return np.vstack([_latents(frame) for frame in frames]), errors, elements


@pytest.fixture(scope="session")
def estimator(training):
    return LTAUEstimator(
        n_neighbors=8, burn_in=0.0, scaling="none", weights="uniform", distance_scaling=0.0
    ).fit(*training)


@pytest.fixture
def atoms():
    return _cluster(seed=1000)
