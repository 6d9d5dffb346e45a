"""A domain for the methods: atoms of two classes, whose errors are known."""

import numpy as np
import pytest

from benchmarks.methods.domains import IN_DOMAIN, Domain, Samples


def draw_samples(rng, n, shift=0.0):
    """Atoms of two classes, whose errors grow with the class and along a latent."""
    latents = rng.normal([shift, 0, 0], size=(n, 3)).astype(np.float32)
    classes = rng.choice([1, 8], n)
    size = np.exp(0.7 * latents[:, 0]) * np.where(classes == 8, 3.0, 1.0)
    return Samples(
        latents=latents,
        errors=size * np.abs(rng.normal(size=n)),
        structures=np.arange(n) // 5,
        classes=classes,
        spreads={"Ensemble of 2": size},
    )


@pytest.fixture(scope="module")
def domain():
    rng = np.random.default_rng(0)
    train = draw_samples(rng, 400)
    scale = np.exp(0.7 * train.latents[:, :1]) * np.where(train.classes == 8, 3.0, 1.0)[:, None]
    trajectories = (scale * np.abs(rng.normal(size=(400, 12)))).astype(np.float32)
    return Domain(
        train=train,
        trajectories={"step": 2 * trajectories, "eval": trajectories},
        validation=draw_samples(rng, 199),
        tests={IN_DOMAIN: draw_samples(rng, 150), "shift": draw_samples(rng, 100, shift=2.0)},
        training_seconds=1.0,
        pass_seconds=1e-3,
        trainings={"Ensemble of 2": 2},
        passes={"Ensemble of 2": 2},
        unit="eV/Å",
    )


@pytest.fixture(scope="session")
def make_samples():
    """The function that draws them."""
    return draw_samples
