"""What torch-sim 0.6 documents of its states, models and integrators, as far as it is used.

torch-sim needs Python 3.12. Here are `SimState.store_model_extras`, `MDState`, the interface of
models, and velocity Verlet as `nve_init` and `nve_step`, in its units: eV, Å, amu.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from ase import Atoms
from ase.calculators.emt import EMT

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


def atoms_to_state(frames):
    """Put structures of one periodicity together."""
    lengths = torch.tensor([len(frame) for frame in frames])
    return State(
        positions=torch.tensor(np.vstack([frame.positions for frame in frames])),
        masses=torch.tensor(np.concatenate([frame.get_masses() for frame in frames])),
        cell=torch.tensor(np.stack([frame.cell[:].T for frame in frames])),
        pbc=torch.tensor(frames[0].pbc),
        atomic_numbers=torch.tensor(
            np.concatenate([frame.numbers for frame in frames]), dtype=torch.int32
        ),
        system_idx=torch.repeat_interleave(torch.arange(len(frames)), lengths),
        momenta=torch.tensor(np.vstack([frame.get_momenta() for frame in frames])),
    )


class EMTModel(torch.nn.Module):
    """EMT, with what a state's latents are computed from kept as a hook would do."""

    device, dtype = torch.device("cpu"), torch.float64
    compute_forces, compute_stress = True, True
    memory_scales_with = "n_atoms_x_density"

    def forward(self, state):
        self.frames = []
        for number in range(state.n_systems):
            own = state.system_idx == number
            self.frames.append(_atoms(state, own, number))
        return {
            "energy": torch.tensor([frame.get_potential_energy() for frame in self.frames]),
            "forces": torch.tensor(np.vstack([frame.get_forces() for frame in self.frames])),
            "stress": torch.tensor(np.stack([f.get_stress(voigt=False) for f in self.frames])),
        }


def _atoms(state, own, number):
    return Atoms(
        state.atomic_numbers[own].numpy(),
        state.positions[own].numpy(),
        cell=state.cell[number].numpy().T,
        pbc=state.pbc.numpy(),
        calculator=EMT(),
    )


def nve_init(state, model):
    output = model(state)
    state.energy, state.forces = output["energy"], output["forces"]
    state.store_model_extras(output)
    return state


def nve_step(state, model, *, dt):
    state.momenta = state.momenta + state.forces * dt / 2
    state.positions = state.positions + state.momenta / state.masses[:, None] * dt
    nve_init(state, model)
    state.momenta = state.momenta + state.forces * dt / 2
    return state
