"""Fine-tuning of SevenNet's 7net-0, whose weights its package holds, on labelled structures.

No callback watches the training: a checkpoint after each epoch is all that is kept of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ase.io
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from sevenn.atom_graph_data import AtomGraphData
from sevenn.calculator import SevenNetCalculator
from sevenn.train.dataload import atoms_to_graph
from sevenn.util import load_checkpoint
from torch_geometric.loader import DataLoader

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator, fit_frames
from ltau.adapters.sevennet import latents

__all__ = ["calculator", "fit", "train"]

STARTING_POINT = "7net-0"
SHARE = 3  # of the training structures every third is enough
BATCH_SIZE = 5
LEARNING_RATE = 1e-3
DELTA = 0.01  # eV/Å: larger errors of a force count linearly


def train(folder: Path, n_epochs: int) -> None:
    """Learn the forces of every third structure; keep the weights of each epoch."""
    torch.manual_seed(0)
    model = load_checkpoint(STARTING_POINT).build_model()
    model.set_is_batch_data(True)
    graphs = [_graph(atoms, model.cutoff) for atoms in _frames(folder)]
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    loss_of = torch.nn.HuberLoss(delta=DELTA)
    for epoch in range(n_epochs):
        for batch in DataLoader(graphs, BATCH_SIZE, shuffle=True):
            optimizer.zero_grad()
            output = model(batch)
            loss = loss_of(output["inferred_force"], output["force_of_atoms"])
            loss.backward()
            optimizer.step()
        scheduler.step()
        torch.save(model.state_dict(), folder / f"epoch-{epoch:03}.pt")
        print(f"epoch {epoch}: loss of the last batch {loss.item():.2e}", flush=True)


def fit(folder: Path) -> LTAUEstimator:
    """Fit an estimator to the errors of all checkpoints."""
    held_out = ase.io.read(folder / "validation.extxyz", ":")
    return fit_frames(_frames(folder), _calculators(folder), latents, held_out=held_out)


def calculator(folder: Path, estimator: LTAUEstimator) -> UncertainCalculator:
    """Make a calculator of the last checkpoint."""
    *_, last = _calculators(folder)
    return UncertainCalculator(last, estimator, latents, level=0.9, keep_latents=True)


def _calculators(folder: Path) -> Iterator[SevenNetCalculator]:
    """Load one checkpoint after the other, into one model."""
    model = load_checkpoint(STARTING_POINT).build_model()
    for path in sorted(folder.glob("epoch-*.pt")):
        model.load_state_dict(torch.load(path, weights_only=True))
        yield SevenNetCalculator(model, file_type="model_instance", device="cpu")


def _frames(folder: Path) -> list[Atoms]:
    return ase.io.read(folder / "train.extxyz", f"::{SHARE}")


def _graph(atoms: Atoms, cutoff: float) -> AtomGraphData:
    """Make what SevenNet learns from; of a molecule it takes no energy here, and no stress."""
    labelled = atoms.copy()
    labelled.calc = SinglePointCalculator(labelled, energy=0.0, forces=atoms.get_forces())
    graph = atoms_to_graph(labelled, cutoff, transfer_info=False, y_from_calc=True)
    return AtomGraphData.from_numpy_dict(graph)
