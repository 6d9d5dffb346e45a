"""What torch-sim 0.6 documents of its states, models and integrators, as far as it is used.

torch-sim needs Python 3.12. Here are `SimState.store_model_extras`, `MDState`, the interface of
models, and velocity Verlet as `nve_init` and `nve_step`, in its units: eV, Å, amu.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from ase import Atoms

CANONICAL = {"energy", "forces", "stress"}


@dataclass(kw_only=True)
class State:
    """Systems one after the other; cells have their vectors as columns."""

    positions: torch.Tensor
    masses: torch.Tensor
    cell: torch.Tensor
    pbc: torch.Tensor
    atomic_numbers: torch.Tensor
    system_idx: torch.Tensor
    momenta: torch.Tensor | None = None
    energy: torch.Tensor | None = None
    forces: torch.Tensor | None = None
    extras: dict = field(default_factory=dict)

    @property
    def n_atoms(self):
        return len(self.positions)

    @property
    def n_systems(self):
        return len(self.cell)

    def __getattr__(self, name):
        extras = self.__dict__.get("extras", {})
        if name in extras:
            return extras[name]
        raise AttributeError(name)

    def store_model_extras(self, output):
        for name, value in output.items():
            if (
                name not in CANONICAL
                and value.ndim
                and len(value) in (self.n_atoms, self.n_systems)
            ):
                self.extras[name] = value


def initialize_state(frames, device=None, dtype=None):
    """Put structures of one periodicity together."""
    lengths = torch.tensor([len(frame) for frame in frames])
    moving = any(frame.has("momenta") for frame in frames)
    momenta = np.vstack([frame.get_momenta() for frame in frames])
    return State(
        positions=torch.tensor(np.vstack([frame.positions for frame in frames])),
        masses=torch.tensor(np.concatenate([frame.get_masses() for frame in frames])),
        cell=torch.tensor(np.stack([frame.cell[:].T for frame in frames])),
        pbc=torch.tensor(frames[0].pbc),
        atomic_numbers=torch.tensor(
            np.concatenate([frame.numbers for frame in frames]), dtype=torch.int32
        ),
        system_idx=torch.repeat_interleave(torch.arange(len(frames)), lengths),
        momenta=torch.tensor(momenta) if moving else None,
    )


class Model(torch.nn.Module):
    """A calculator of ASE as a model, which keeps the latents of the atoms."""

    device, dtype = torch.device("cpu"), torch.float64
    compute_forces, compute_stress = True, True
    memory_scales_with = "n_atoms_x_density"

    def __init__(self, calculator, latents):
        super().__init__()
        self.calculator, self.latents = calculator, latents

    def forward(self, state):
        each = [self._compute(state, number) for number in range(state.n_systems)]
        energies, forces, stresses, latents = zip(*each, strict=True)
        self.features = torch.tensor(np.vstack(latents))
        return {
            "energy": torch.tensor(energies),
            "forces": torch.tensor(np.vstack(forces)),
            "stress": torch.tensor(np.stack(stresses)),
        }

    def _compute(self, state, number):
        own = state.system_idx == number
        atoms = Atoms(
            state.atomic_numbers[own].numpy(),
            state.positions[own].numpy(),
            cell=state.cell[number].numpy().T,
            pbc=state.pbc.numpy(),
            calculator=self.calculator,
        )
        stress = atoms.get_stress(voigt=False)
        return atoms.get_potential_energy(), atoms.get_forces(), stress, self.latents(atoms)


def nve_init(state, model, *, kT=0.0):
    if state.momenta is None:
        generator = torch.Generator().manual_seed(0)
        drawn = torch.randn(state.positions.shape, generator=generator, dtype=torch.float64)
        state.momenta = drawn * (kT * state.masses[:, None]) ** 0.5
    _compute(state, model)
    return state


def nve_step(state, model, *, dt):
    state.momenta = state.momenta + state.forces * dt / 2
    state.positions = state.positions + state.momenta / state.masses[:, None] * dt
    _compute(state, model)
    state.momenta = state.momenta + state.forces * dt / 2
    return state


def _compute(state, model):
    output = model(state)
    state.energy, state.forces = output["energy"], output["forces"]
    state.store_model_extras(output)
