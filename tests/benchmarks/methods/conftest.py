"""A domain for the methods: atoms of two classes, whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.methods.domains import IN_DOMAIN, SYSTEM, Domain, Samples


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


@pytest.fixture(scope="module")
def with_targets(domain):
    """The same domain, of a model that is wrong where it extrapolates."""

    def known(samples):
        target = samples.latents[:, 0].astype(float)
        return samples._replace(targets=target, y_pred=2.0 * target)

    tests = {name: known(samples) for name, samples in domain.tests.items()}
    return replace(
        domain, train=known(domain.train), validation=known(domain.validation), tests=tests
    )


def draw_structures(rng, n_systems, name):
    """Crystals of copper and gold, three frames of each that are near twins."""
    from ase.build import bulk

    frames = []
    for number in range(n_systems):
        crystal = bulk("Cu", cubic=True) * (2, 1, 1)
        crystal.symbols = rng.permutation(["Cu", "Au"] * 4)
        crystal.rattle(0.2, rng=rng)
        for _ in range(3):
            frame = crystal.copy()
            frame.rattle(0.002, rng=rng)
            frame.info[SYSTEM] = f"{name}-{number}"
            frames.append(frame)
    positions = np.concatenate([frame.positions for frame in frames])
    n = len(positions)
    return Samples(
        latents=positions.astype(np.float32),
        errors=np.abs(rng.normal(size=n)),
        structures=np.arange(n) // 8,
        classes=np.concatenate([frame.numbers for frame in frames]),
        spreads={},
        systems=np.arange(n) // 24,
        frames=frames,
    )


@pytest.fixture(scope="module")
def of_structures(domain):
    """A domain of structures of atoms, several of each system."""
    rng = np.random.default_rng(0)
    train = draw_structures(rng, 30, "train")
    trajectories = np.abs(rng.normal(size=(len(train.errors), 9))).astype(np.float32)
    return replace(
        domain,
        train=train,
        trajectories={"step": trajectories, "eval": trajectories},
        validation=draw_structures(rng, 6, "validation"),
        tests={IN_DOMAIN: draw_structures(rng, 6, "test")},
    )


@pytest.fixture(scope="session")
def make_samples():
    """The function that draws them."""
    return draw_samples
