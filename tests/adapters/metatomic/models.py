"""Small models of metatomic: Gaussians of pair distances, and an MLP that reads energies out."""

from typing import Dict, List, Optional  # noqa: UP035

import pytest

pytest.importorskip("metatomic_ase", reason="pip install 'ltau[metatomic]'")

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)

ELEMENTS = [29, 79]


class Pairs(torch.nn.Module):
    """Energies of atoms by their distances to others, and what these are read out from.

    Rows of features come in an order of their own, as those of metatrain's models may.
    """

    def __init__(self, feature: str, cutoff: float, width: int):
        super().__init__()
        torch.manual_seed(0)
        self.feature = feature
        self.cutoff = cutoff
        self.neighbors = NeighborListOptions(cutoff=cutoff, full_list=True, strict=True)
        self.register_buffer("radii", torch.linspace(0.4 * cutoff, 0.9 * cutoff, 6))
        self.register_buffer("elements", torch.tensor(ELEMENTS))
        self.embedding = torch.nn.Linear(12, width)
        self.energy = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(width, 1))

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:  # noqa: UP006
        return [self.neighbors]

    def forward(
        self,
        systems: List[System],  # noqa: UP006
        outputs: Dict[str, ModelOutput],  # noqa: UP006
        selected_atoms: Optional[Labels] = None,  # noqa: UP045
    ) -> Dict[str, TensorMap]:  # noqa: UP006
        rows: List[torch.Tensor] = []  # noqa: UP006
        labels: List[torch.Tensor] = []  # noqa: UP006
        for number, system in enumerate(systems):
            rows.append(self.features(system))
            of = torch.arange(len(system), dtype=torch.int32, device=system.positions.device)
            labels.append(torch.stack([torch.full_like(of, number), of], dim=1))
        features, samples = torch.cat(rows), torch.cat(labels)
        if selected_atoms is not None:
            wanted = (samples.unsqueeze(1) == selected_atoms.values).all(dim=2).any(dim=1)
            features, samples = features[wanted], samples[wanted]
        results: Dict[str, TensorMap] = {}  # noqa: UP006
        for name, output in outputs.items():
            backwards = torch.arange(len(samples) - 1, -1, -1, device=samples.device)
            if name == self.feature and output.sample_kind == "atom":
                results[name] = named(features[backwards], samples[backwards], "feature")
            elif name == self.feature:
                results[name] = named(of_systems(features, samples, len(systems)), None, "feature")
            elif output.sample_kind == "atom":
                results[name] = named(self.energy(features), samples, "energy")
            else:
                energy = of_systems(self.energy(features), samples, len(systems))
                results[name] = named(energy, None, "energy")
        return results

    def features(self, system: System) -> torch.Tensor:
        pairs = system.get_neighbor_list(self.neighbors)
        first = pairs.samples.column("first_atom").long()
        second = pairs.samples.column("second_atom").long()
        lengths = pairs.values[:, :, 0].square().sum(dim=1, keepdim=True).sqrt()
        switch = (1 - lengths / self.cutoff) ** 2
        near = torch.exp(-(((lengths - self.radii) * 5.0 / self.cutoff) ** 2)) * switch
        gold = (system.types[second] == 79).unsqueeze(1)
        by_element = torch.cat([near * gold, near * ~gold], dim=1)
        summed = torch.zeros(
            (len(system), 12), dtype=by_element.dtype, device=by_element.device
        ).index_add(0, first, by_element)
        own = (system.types == 79).to(summed.dtype).unsqueeze(1)
        return torch.tanh(self.embedding(summed) + own)


class PairsWithInputs(Pairs):
    """The same, asking of the engine what it does not use."""

    def requested_inputs(self) -> Dict[str, ModelOutput]:  # noqa: UP006
        return {"mass": ModelOutput(unit="u", sample_kind="atom")}


def of_systems(rows: torch.Tensor, samples: torch.Tensor, n_systems: int) -> torch.Tensor:
    summed = torch.zeros((n_systems, rows.shape[1]), dtype=rows.dtype, device=rows.device)
    return summed.index_add(0, samples[:, 0].long(), rows)


def named(values: torch.Tensor, samples: Optional[torch.Tensor], name: str) -> TensorMap:  # noqa: UP045
    of = torch.arange(values.shape[1], dtype=torch.int32, device=values.device).unsqueeze(1)
    if samples is None:
        number = torch.arange(len(values), dtype=torch.int32, device=values.device)
        labels = Labels(["system"], number.unsqueeze(1))
    else:
        labels = Labels(["system", "atom"], samples)
    components: List[Labels] = []  # noqa: UP006
    block = TensorBlock(values, labels, components, Labels([name], of))
    return TensorMap(Labels(["_"], torch.zeros_like(of[:1])), [block])


def make_model(
    dtype="float64",
    feature: str = "feature",
    cutoff: float = 4.5,
    width: int = 8,
    length_unit: str = "angstrom",
    feature_kind: str = "atom",
    inputs: bool = False,
) -> AtomisticModel:
    """Make a model; `feature` names its latents, if it declares any."""
    kind = PairsWithInputs if inputs else Pairs
    module = kind(feature, cutoff, width).to(getattr(torch, dtype)).eval()
    outputs = {"energy": ModelOutput(unit="eV", sample_kind="atom")}
    if feature:
        outputs[feature] = ModelOutput(sample_kind=feature_kind)
    capabilities = ModelCapabilities(
        outputs=outputs,
        atomic_types=ELEMENTS,
        interaction_range=cutoff,
        length_unit=length_unit,
        supported_devices=["cpu", "cuda"],
        dtype=dtype,
    )
    return AtomisticModel(module, ModelMetadata(name="pairs"), capabilities)
