"""A small model of copper and gold, its latents, and estimators that know them."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("metatomic_ase"):
    import ltau.adapters.metatomic  # noqa: F401  # before torch_geometric is: see its _scripting.py

from ltau import LTAUEstimator
from ltau.structures import environment_latents

from ..engines.structures import STRUCTURES


@pytest.fixture(scope="session")
def kept():
    """What a calculator is told, so that it keeps the latents."""
    from metatomic.torch import ModelOutput

    return {"feature": ModelOutput(sample_kind="atom")}


@pytest.fixture(scope="session")
def model():
    from .models import make_model

    return make_model()


@pytest.fixture(scope="session")
def known(model, kept):
    """Structures, and the model's latents of all their atoms."""
    from metatomic_ase import MetatomicCalculator

    from ltau.adapters.metatomic import latents

    calculator = MetatomicCalculator(model, additional_outputs=kept)
    frames = [make(seed) for make in STRUCTURES.values() for seed in range(3)]
    rows = []
    for atoms in frames:
        calculator.get_property("forces", atoms)
        rows.append(latents(atoms, calculator))
    return frames, np.vstack(rows)


@pytest.fixture(scope="session")
def fitted(known):
    """Fit an estimator to errors that are larger for gold."""
    frames, rows = known
    numbers = np.concatenate([atoms.numbers for atoms in frames])
    size = np.where(numbers == 79, 0.3, 0.1)[:, None]
    errors = np.random.default_rng(0).exponential(size, size=(len(numbers), 30))

    def fit(environment=None, strata=True, **parameters):
        own = rows if environment is None else environment_latents(rows, frames, environment)
        classes = numbers if strata else None
        estimator = LTAUEstimator(8, **parameters).fit(own, errors, classes)
        estimator.notes_ = {"environment": environment}
        return estimator

    return fit


@pytest.fixture(scope="session")
def estimator(fitted):
    return fitted(n_prototypes=40)
