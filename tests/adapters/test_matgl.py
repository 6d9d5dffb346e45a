"""Latents of MatGL's potentials with random weights, and the file of its logger."""

import numpy as np
import pytest

pytest.importorskip("matgl")

import torch
from ase import Atoms
from ase.calculators.emt import EMT
from matgl.apps.pes import Potential
from matgl.ext.ase import PESCalculator
from matgl.models import QET, CHGNet, M3GNet, SO3Net, TensorNet
from matgl.utils.callbacks import PredictionLogger

from ltau.adapters.matgl import errors_from_log, latents

from .frameworks import (
    check_latents,
    check_they_follow_the_atoms,
    check_uncertain_calculator,
    crystal,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Lightning and PyTorch

MODELS = {
    TensorNet: {"units": 16, "nblocks": 2},
    M3GNet: {"units": 16, "nblocks": 2, "dim_node_embedding": 16, "dim_edge_embedding": 16},
    CHGNet: {},
    QET: {},
    SO3Net: {},
}


@pytest.fixture(scope="module", params=MODELS, ids=lambda kind: kind.__name__)
def make(request):
    def made():
        torch.manual_seed(0)
        model = request.param(
            element_types=("Na", "Cl"), cutoff=5.0, is_intensive=False, **MODELS[request.param]
        )
        return PESCalculator(Potential(model), stress_unit="eV/A3")

    return made


def module(calculator):
    return calculator.potential.model


def test_latents_are_invariant_and_of_the_calculators_own_pass(make):
    check_latents(latents, make, module)


def test_latents_follow_the_atoms(make):
    check_they_follow_the_atoms(latents, make)


def test_forces_come_with_their_uncertainty_in_one_pass(make):
    check_uncertain_calculator(latents, make, module)


def test_what_has_no_latents_is_refused(make):
    with pytest.raises(TypeError, match="Expected a PESCalculator, got a EMT"):
        latents(crystal(), EMT())
    with pytest.raises(ValueError, match=r"The model knows Cl, Na, got Ar\."):
        latents(Atoms("Ar2", [[0, 0, 0], [0, 0, 3]]), make())


def written(path, epochs):
    """What the logger writes of frames of 3, 1 and 5 atoms, in another order each epoch."""
    log, rng = PredictionLogger(path), np.random.default_rng(0)
    sizes, starts = [3, 1, 5], [0, 3, 4]
    truth, forces = rng.normal(size=(9, 3)), rng.normal(size=(epochs, 9, 3))
    for of_epoch in forces:
        log.on_train_epoch_start(None, None)
        for frames in np.split(rng.permutation(3), [2]):
            rows = np.concatenate([starts[i] + np.arange(sizes[i]) for i in frames])
            energies = torch.zeros(len(frames))
            log.on_train_batch_end(
                None,
                None,
                {
                    "preds": (energies, torch.tensor(of_epoch[rows])),
                    "labels": (energies, torch.tensor(truth[rows])),
                    "indices": torch.tensor(frames),
                    "num_atoms": torch.tensor([sizes[i] for i in frames]),
                },
                None,
                0,
            )
        log.on_train_epoch_end(None, None)
    return np.linalg.norm(forces - truth, axis=2).T


def test_the_loggers_file_has_the_errors_of_every_atom_and_epoch(tmp_path):
    expected = written(tmp_path / "log.pt", 4)
    found = errors_from_log(tmp_path / "log.pt")
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"Expected val_force_errors in .* got \['train_energy"):
        errors_from_log(tmp_path / "log.pt", "val")


@pytest.mark.parametrize(
    ("holds", "message"),
    [
        ([1, 2], "train_force_errors in .*, got list"),
        ({"train_energy_errors": torch.ones(2, 3)}, r"got \['train_energy_errors'\]"),
        ({"train_force_errors": [torch.ones(9, 3), torch.ones(8, 3)]}, r"atoms, 3\), got list"),
        ({"train_force_errors": torch.ones(4, 9)}, r"\(n_epochs, n_atoms, 3\), got \(4, 9\)"),
        ({"train_force_errors": torch.ones(4, 9, 2)}, r"got \(4, 9, 2\)"),
        ({"train_force_errors": torch.ones(0, 9, 3)}, r"at least one, got \(0, 9, 3\)"),
        ({"train_force_errors": torch.ones(4, 9, 3, dtype=torch.int)}, "to be numbers"),
        (
            {"train_force_errors": torch.cat([torch.ones(3, 9, 3), torch.full((1, 9, 3), np.nan)])},
            "NaN or infinity in epoch 3",
        ),
    ],
)
def test_what_is_no_log_is_refused(holds, message, tmp_path):
    torch.save(holds, tmp_path / "log.pt")
    with pytest.raises(ValueError, match=message):
        errors_from_log(tmp_path / "log.pt")


class Code:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a file was run",))


def test_a_file_is_not_run(tmp_path):
    torch.save({"train_force_errors": Code()}, tmp_path / "log.pt")
    (tmp_path / "text.pt").write_text("no log")
    for name in ("log.pt", "text.pt"):
        with pytest.raises(ValueError, match="to be the file of a PredictionLogger"):
            errors_from_log(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        errors_from_log(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="subset 'train' or 'val', got 'test'"):
        errors_from_log(tmp_path / "log.pt", "test")
