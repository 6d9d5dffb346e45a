"""What several tests share: real data, where it is, and a fitted estimator."""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir():
    """Folder of real data; the test is skipped where there is none."""
    folder = Path(os.environ.get("LTAU_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set LTAU_DATA")
    return folder


@pytest.fixture(scope="session")
def acac(data_dir):
    """Latents and per-atom force errors (eV/Å) of a small NequIP model, set by set."""
    folder = data_dir / "acac_nequip"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return {path.stem: np.load(path) for path in folder.glob("*.npz")}


@pytest.fixture
def trajectories():
    """Latents, and trajectories of errors that grow along the first of them."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(300, 4)).astype(np.float32)
    errors = rng.exponential(np.exp(latents[:, :1]), size=(300, 20)).astype(np.float32)
    return latents, errors


@pytest.fixture
def path(tmp_path):
    """Where a test may save an estimator."""
    return tmp_path / "model.ltau"
