"""Models and loops of torch-sim, by a stand-in of its documented interface."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ase")

from ase import units
from ase.calculators.emt import EMT
from ase.io import read
from ase.md.verlet import VelocityVerlet

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator
from ltau.adapters.ase import UncertaintyMonitor as MonitorOfASE
from ltau.adapters.torch_sim import UncertainModel, UncertaintyMonitor

PER_ATOM = (
    "forces_uncertainty",
    "forces_uncertainty_upper",
    "forces_error_probability",
    "ood_score",
)


@pytest.fixture(scope="module")
def ts():
    """The stand-in, a file beside this one."""
    path = Path(__file__).with_name("stand_in.py")
    spec = importlib.util.spec_from_file_location("stand_in", path)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["stand_in"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(ts, estimator, latents_of):
    def latents(state, model):
        return torch.tensor(np.vstack([latents_of(frame) for frame in model.frames]))

    def with_options(**options):
        return UncertainModel(ts.EMTModel(), estimator, latents, **options)

    return with_options


@pytest.fixture
def table(tmp_path):
    return tmp_path / "run.csv"


def rows(path):
    with path.open() as file:
        return [
            {name: float(cell) for name, cell in row.items()} for row in csv.DictReader(file)
        ]
