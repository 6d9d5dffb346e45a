"""Small trainings of MACE, each made once. Without MACE, the tests that use them are skipped."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from ltau.cli import main


def pytest_collection_modifyitems(items):
    """Let pass what MACE, and what it depends on, says of itself."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for kind in ("DeprecationWarning", "FutureWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@pytest.fixture(scope="session")
def of_mace():
    """What trainings.py has."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("trainings.py"))))


@pytest.fixture(scope="session")
def frames(of_mace):
    """Structures to train on; 14, of which batches of four leave two out."""
    return of_mace.structures(14, seed=0)


@pytest.fixture(scope="session")
def held_out(of_mace):
    """Structures to validate with."""
    return of_mace.structures(8, seed=1)


@pytest.fixture(scope="session")
def finished(of_mace, tmp_path_factory, frames, held_out):
    """Folder of a whole training of two stages, recorded after each epoch by the command."""
    folder = tmp_path_factory.mktemp("mace") / "finished"
    told = of_mace.arguments(
        folder, frames, held_out, "--max_num_epochs=4 --swa --start_swa=2 --swa_lr=0.01"
    )
    with of_mace.process_as_it_was():
        main(["mace", "train", "--mode", "eval", str(folder / "ltau"), *told])
    return folder


@pytest.fixture(scope="session")
def model(of_mace, finished):
    """Path of the model of the second stage."""
    return finished / "checkpoints" / f"{of_mace.TAG}_stagetwo.model"


@pytest.fixture(scope="session")
def estimator(finished):
    """An estimator of the finished training."""
    from ltau import LTAUEstimator
    from ltau.adapters.mace import fit_run

    return fit_run(finished, estimator=LTAUEstimator(n_neighbors=3))


@pytest.fixture(scope="session")
def prepared(of_mace, tmp_path_factory, frames, held_out):
    """Arguments of ``mace.tools.train`` for a training of three epochs."""
    folder = tmp_path_factory.mktemp("mace") / "prepared"
    return of_mace.prepare(of_mace.arguments(folder, frames, held_out, "--max_num_epochs=3"))
