"""A small model of forces in clusters of copper and gold: put your own in its place.

A network of PyTorch gives each atom an energy, from smooth counts of its neighbours by shell and
by element. It is trained on forces alone, all clusters at once, and the error of each atom is kept
at each epoch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray
from torch import Tensor, nn

ELEMENTS = (29, 79)
CUTOFF = 6.0  # Å
DTYPE = torch.float64  # what is rounded in dynamics soon decides where they go
SHELLS = torch.linspace(2.0, 5.5, 12, dtype=DTYPE)  # Å
WIDTH = 0.35  # Å
CORE = 1.9  # Å, of a repulsion that no label has to teach
HIDDEN = 32


class Network(nn.Module):
    """Energies of atoms, and the hidden layer behind them: their latents."""

    def __init__(self) -> None:
        super().__init__()
        n_counts = len(ELEMENTS) * len(SHELLS)
        self.hidden = nn.Sequential(
            nn.Linear(n_counts + len(ELEMENTS), HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN)
        )
        self.energy = nn.Sequential(nn.Tanh(), nn.Linear(HIDDEN, 1))

    def forward(self, positions: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Take positions (n, n_atoms, 3) and one-hot elements (n, n_atoms, n_elements)."""
        apart = positions[:, :, None] - positions[:, None]
        same = torch.eye(positions.shape[1], dtype=torch.bool)
        squares = (apart**2).sum(-1).masked_fill(same, CUTOFF**2)  # no atom is its own neighbour
        distances = squares.sqrt().clamp(max=CUTOFF)
        smooth = 0.5 * (1 + torch.cos(torch.pi * distances / CUTOFF))
        near = torch.exp(-(((distances[..., None] - SHELLS) / WIDTH) ** 2)) * smooth[..., None]
        counts = torch.einsum("fijs,fje->fies", near, kinds).flatten(2)
        hidden = self.hidden(torch.cat([counts, kinds], dim=-1))
        core = (smooth * (CORE / distances) ** 12).sum(-1) / 2  # eV
        return self.energy(hidden)[..., 0] + core, hidden


class Trained(NamedTuple):
    """A network, and the errors that it made on its way."""

    network: Network
    errors: NDArray[np.float64]  # (n_atoms of all clusters, n_epochs), in eV/Å


def forces_of(network: Network, frames: list[Atoms]) -> NDArray[np.float64]:
    """Compute forces, (n_atoms of all clusters, 3), in eV/Å."""
    positions, kinds = as_tensors(frames)
    forces = pulled(network, positions.requires_grad_(), kinds, learn=False)[0]
    return forces.flatten(0, 1).numpy()


def pulled(
    network: Network, positions: Tensor, kinds: Tensor, *, learn: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute forces, energies and latents."""
    energies, hidden = network(positions, kinds)
    (gradient,) = torch.autograd.grad(energies.sum(), positions, create_graph=learn)
    return -gradient, energies, hidden


def as_tensors(frames: list[Atoms]) -> tuple[Tensor, Tensor]:
    """Give positions and one-hot elements of clusters of one size."""
    positions = torch.tensor(np.stack([atoms.positions for atoms in frames]), dtype=DTYPE)
    numbers = torch.tensor(np.stack([atoms.numbers for atoms in frames]))
    return positions, (numbers[..., None] == torch.tensor(ELEMENTS)).to(DTYPE)


def train(frames: list[Atoms], n_epochs: int, seed: int) -> Trained:
    """Train a network on labelled clusters."""
    torch.manual_seed(seed)
    network = Network().to(DTYPE)
    positions, kinds = as_tensors(frames)
    positions.requires_grad_()
    true = torch.tensor(np.stack([atoms.get_forces() for atoms in frames]), dtype=DTYPE)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_epochs)
    errors = []
    for _ in range(n_epochs):
        difference = pulled(network, positions, kinds, learn=True)[0] - true
        errors.append(difference.detach().norm(dim=-1).flatten().numpy())
        optimizer.zero_grad()
        (difference**2).mean().backward()
        optimizer.step()
        schedule.step()
    return Trained(network, np.stack(errors, axis=1))


def latents_of(network: Network, frames: list[Atoms]) -> NDArray[np.float64]:
    """Give the latents of all atoms, (n_atoms of all clusters, 32)."""
    with torch.no_grad():
        return network(*as_tensors(frames))[1].flatten(0, 1).numpy()


class NetworkCalculator(Calculator):
    """The network as a calculator of ASE; energies are known but for a constant."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def calculate(
        self, atoms: Atoms, properties: object = None, system_changes: object = all_changes
    ) -> None:
        """Compute energy, forces and latents in one pass."""
        super().calculate(atoms, properties, system_changes)
        positions, kinds = as_tensors([atoms])
        forces, energies, hidden = pulled(
            self.network, positions.requires_grad_(), kinds, learn=False
        )
        self.latents = hidden[0].detach().numpy()
        self.results = {
            "energy": float(energies.detach().sum()),
            "forces": forces[0].numpy(),
        }


def latents(atoms: Atoms, calculator: NetworkCalculator) -> NDArray[np.float64]:
    """Give the latents of the atoms that the calculator has computed last."""
    return calculator.latents
