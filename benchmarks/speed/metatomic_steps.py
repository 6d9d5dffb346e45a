"""What the uncertainty adds to a step of a metatomic model in ASE, on one thread.

    python -m benchmarks.speed.metatomic_steps

runs 32 atoms of copper by a small metatomic model, which is saved and loaded as an engine would,
without the uncertainty, with that of all 7,040 training atoms, and with that of 200 prototypes, in
turn. Times are those of the processor, medians with quartiles over rounds.
"""

import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional  # noqa: UP035  # TorchScript knows no others

import numpy as np
import torch
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)
from metatomic_ase import MetatomicCalculator

from benchmarks.harness.timing import processor_seconds, quartiles
from ltau import LTAUEstimator
from ltau.adapters.metatomic import add_uncertainty, latents, uncertainty_outputs

N_FRAMES, N_EPOCHS, N_STEPS, N_ROUNDS = 220, 40, 40, 9
CUTOFF, N_FEATURES = 4.5, 32


class Pairs(torch.nn.Module):
    """Energies of atoms, read out of sums over their neighbours."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cutoff = CUTOFF
        self.neighbors = NeighborListOptions(cutoff=CUTOFF, full_list=True, strict=True)
        self.register_buffer("radii", torch.linspace(2.0, 4.0, 16))
        self.embedding = torch.nn.Sequential(torch.nn.Linear(16, N_FEATURES), torch.nn.Tanh())
        self.energy = torch.nn.Linear(N_FEATURES, 1)

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:  # noqa: UP006
        """Tell which neighbours are needed."""
        return [self.neighbors]

    def forward(
        self,
        systems: List[System],  # noqa: UP006
        outputs: Dict[str, ModelOutput],  # noqa: UP006
        selected_atoms: Optional[Labels] = None,  # noqa: UP045
    ) -> Dict[str, TensorMap]:  # noqa: UP006
        """Compute one system."""
        system = systems[0]
        pairs = system.get_neighbor_list(self.neighbors)
        lengths = pairs.values[:, :, 0].square().sum(dim=1, keepdim=True).sqrt()
        near = torch.exp(-((lengths - self.radii) ** 2)) * (1 - lengths / self.cutoff) ** 2
        first = pairs.samples.column("first_atom").long()
        summed = torch.zeros((len(system), 16), dtype=near.dtype).index_add(0, first, near)
        features = self.embedding(summed)
        results: Dict[str, TensorMap] = {}  # noqa: UP006
        for name in outputs:
            if name == "feature":
                atoms = torch.arange(len(system), dtype=torch.int32).unsqueeze(1)
                rows = Labels(["system", "atom"], torch.cat([torch.zeros_like(atoms), atoms], 1))
                results[name] = self.named(features, rows, name)
            else:
                row = Labels(["system"], torch.zeros((1, 1), dtype=torch.int32))
                results[name] = self.named(self.energy(features).sum(0, keepdim=True), row, name)
        return results

    def named(self, values: torch.Tensor, rows: Labels, name: str) -> TensorMap:
        """Give names to rows and columns."""
        columns = torch.arange(values.shape[1], dtype=torch.int32).unsqueeze(1)
        components: List[Labels] = []  # noqa: UP006
        block = TensorBlock(values, rows, components, Labels([name], columns))
        return TensorMap(Labels(["_"], torch.zeros_like(columns[:1])), [block])


def make_model() -> AtomisticModel:
    """Make the model, in double precision."""
    capabilities = ModelCapabilities(
        outputs={
            "energy": ModelOutput(unit="eV", sample_kind="system"),
            "feature": ModelOutput(sample_kind="atom"),
        },
        atomic_types=[29],
        interaction_range=CUTOFF,
        length_unit="angstrom",
        supported_devices=["cpu"],
        dtype="float64",
    )
    return AtomisticModel(Pairs().double().eval(), ModelMetadata(name="pairs"), capabilities)


def crystal(seed: int) -> Atoms:
    """32 atoms of copper, displaced."""
    atoms = bulk("Cu", cubic=True) * 2
    atoms.rattle(0.05, seed=seed)
    return atoms


def known(model: AtomisticModel) -> Any:
    """Compute the latents of the training atoms."""
    kept = {"feature": ModelOutput(sample_kind="atom")}
    calculator = MetatomicCalculator(model, additional_outputs=kept)
    rows = []
    for seed in range(1, N_FRAMES + 1):
        atoms = crystal(seed)
        calculator.get_property("forces", atoms)
        rows.append(latents(atoms, calculator))
    return np.vstack(rows)


def milliseconds(dynamics: VelocityVerlet) -> float:
    """Time a step."""
    return 1e3 * processor_seconds(lambda: dynamics.run(N_STEPS))[1] / N_STEPS


def main() -> None:
    """Measure, and print."""
    torch.set_num_threads(1)
    model = make_model()
    rows = known(model)
    errors = np.random.default_rng(0).exponential(size=(len(rows), N_EPOCHS))
    estimators = {
        "all samples": LTAUEstimator(n_jobs=1).fit(rows, errors),
        "200 prototypes": LTAUEstimator(3, n_prototypes=200, n_jobs=1).fit(rows, errors),
    }
    with tempfile.TemporaryDirectory() as folder:
        models: dict[str, tuple[AtomisticModel, dict[str, ModelOutput]]] = {"without": (model, {})}
        for name, estimator in estimators.items():
            models[name] = add_uncertainty(model, estimator), uncertainty_outputs()
        runs = {}
        for name, (each, asked) in models.items():
            path = Path(folder, f"{name}.pt")
            each.save(path)
            atoms = crystal(0)
            atoms.calc = MetatomicCalculator(path, additional_outputs=asked)
            runs[name] = VelocityVerlet(atoms, 2 * units.fs)
            milliseconds(runs[name])
        times = np.array([[milliseconds(run) for run in runs.values()] for _ in range(N_ROUNDS)])
    for name, mine in zip(runs, times.T, strict=True):
        print(f"{name:15} {text(mine)} ms  ratio {text(mine / times[:, 0])}")


def text(values: Any) -> str:
    """Write the median and the quartiles."""
    low, middle, high = quartiles(values)
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
