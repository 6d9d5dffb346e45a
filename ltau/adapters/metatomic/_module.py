"""A metatomic model with its uncertainty, in the Python that TorchScript reads.

Annotations are not put off here, and are those of `typing`: metatomic compares them.
"""

from typing import Dict, List, Optional  # noqa: UP035

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import ModelOutput, NeighborListOptions, System

__all__ = ["EnvironmentLatents", "ModuleWithUncertainty", "OwnLatents"]


class OwnLatents(torch.nn.Module):
    """An atom's latents are those that the model gives."""

    def __init__(self) -> None:
        super().__init__()
        self.of_all = False  # whether it takes the latents of all atoms
        self.reach = 0.0  # how far these atoms are, in the model's unit of length

    def forward(self, systems: List[System], latents: torch.Tensor) -> torch.Tensor:  # noqa: UP006
        """Give them in float32.

        Parameters
        ----------
        systems : list of System
            The systems.
        latents : Tensor of shape (n_atoms, n_features)
            What the model gave, of some atoms.

        Returns
        -------
        Tensor of shape (n_atoms, n_features), float32
            The same.
        """
        return latents.float()


class EnvironmentLatents(torch.nn.Module):
    """An atom's latents are environment latents, by a neighbour list of their own.

    Parameters
    ----------
    cutoff : float
        Distance from which on an atom is no neighbour, in the model's unit of length.
    on_edges : torch.nn.Module
        Makes them of all atoms' latents, edges and lengths.
    """

    def __init__(self, cutoff: float, on_edges: torch.nn.Module) -> None:
        super().__init__()
        self.of_all = True
        self.reach = 2 * cutoff  # a mean of the neighbours' means
        self.neighbors = NeighborListOptions(cutoff=cutoff, full_list=True, strict=True)
        self.on_edges = on_edges

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:  # noqa: UP006
        """Name the list that the engine has to make."""
        return [self.neighbors]

    def forward(self, systems: List[System], latents: torch.Tensor) -> torch.Tensor:  # noqa: UP006
        """Make environment latents.

        Parameters
        ----------
        systems : list of System
            The systems.
        latents : Tensor of shape (n_atoms, n_features)
            What the model gave, of all atoms of all systems.

        Returns
        -------
        Tensor of shape (n_atoms, 3 * n_features), float32
            The environment latents.
        """
        edges: List[torch.Tensor] = []  # noqa: UP006
        lengths: List[torch.Tensor] = []  # noqa: UP006
        first = 0
        for system in systems:
            pairs = system.get_neighbor_list(self.neighbors)
            edges.append(first + pairs.samples.values[:, :2].long())
            lengths.append(pairs.values.detach()[:, :, 0].square().sum(dim=1).sqrt())
            first += len(system)
        return self.on_edges(latents, torch.cat(edges).t(), torch.cat(lengths))


class ModuleWithUncertainty(torch.nn.Module):
    """What a metatomic model computes, and the uncertainty of its forces.

    Outputs that it does not add are asked of the model, unchanged. The latents are asked for
    along with them; by themselves only where they are needed of more atoms than the engine
    has selected, or the engine asks for them system by system.

    Parameters
    ----------
    module : torch.nn.Module
        What is within the model.
    latents : str
        Its output of latents.
    names : list of str
        The outputs that are added: expected error, error bar and `ood_score`.
    surroundings : OwnLatents or EnvironmentLatents
        Makes what the estimator knows of what the model gives.
    summary : torch.nn.Module
        Gives expected error, error bar and `ood_score` of latents and strata.
    elements : Tensor of shape (n_strata,), int64
        The atomic number of each stratum; empty if the estimator has none.
    n_rows : int
        Atoms that are compared with the estimator's samples at a time.
    factor : float
        What the estimator's errors are multiplied with.
    lists : list of NeighborListOptions
        The neighbour lists that the model asks of the engine.
    inputs : dict of str to ModelOutput
        What else it asks of it.
    """

    elements: torch.Tensor

    def __init__(
        self,
        module: torch.nn.Module,
        latents: str,
        names: List[str],  # noqa: UP006
        surroundings: torch.nn.Module,
        summary: torch.nn.Module,
        elements: torch.Tensor,
        n_rows: int,
        factor: float,
        lists: List[NeighborListOptions],  # noqa: UP006
        inputs: Dict[str, ModelOutput],  # noqa: UP006
    ) -> None:
        super().__init__()
        self.module = module
        self.latents = latents
        self.names = names
        self.surroundings = surroundings
        self.summary = summary
        self.n_rows = n_rows
        self.factor = factor
        self.lists = lists
        self.inputs = inputs
        self.register_buffer("elements", elements)

    def forward(
        self,
        systems: List[System],  # noqa: UP006
        outputs: Dict[str, ModelOutput],  # noqa: UP006
        selected_atoms: Optional[Labels] = None,  # noqa: UP045
    ) -> Dict[str, TensorMap]:  # noqa: UP006
        """Run the model, and add the outputs that are asked for.

        Parameters
        ----------
        systems : list of System
            The systems.
        outputs : dict of str to ModelOutput
            What the engine asks for.
        selected_atoms : Labels, optional
            The atoms of which it asks.

        Returns
        -------
        dict of str to TensorMap
            The outputs. Rows of those that are added are in the order of systems and atoms.
        """
        asked: Dict[str, ModelOutput] = {}  # noqa: UP006
        added: List[str] = []  # noqa: UP006
        for name, output in outputs.items():
            if name not in self.names:
                asked[name] = output
                continue
            if output.sample_kind != "atom":
                raise ValueError(
                    f"Expected {name} to be asked for atom by atom, with sample_kind='atom', "
                    f"got '{output.sample_kind}'."
                )
            added.append(name)
        if len(added) == 0:
            return self.module(systems, outputs, selected_atoms)
        of_all = self.surroundings.of_all
        apart = of_all and selected_atoms is not None
        if self.latents in asked:
            apart = apart or asked[self.latents].sample_kind != "atom"
        elif not apart:
            asked[self.latents] = ModelOutput(sample_kind="atom")
        results: Dict[str, TensorMap] = {}  # noqa: UP006
        if len(asked) > 0:
            results = self.module(systems, asked, selected_atoms)
        if apart:
            alone = {self.latents: ModelOutput(sample_kind="atom")}
            given = self.module(systems, alone, None if of_all else selected_atoms)[self.latents]
        else:
            given = results[self.latents]
            if self.latents not in outputs:
                results.pop(self.latents)
        samples, found = self.uncertainty(systems, given, selected_atoms)
        for number, name in enumerate(self.names):
            if name in added:
                results[name] = self.named(name, samples, found[number])
        return results

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:  # noqa: UP006
        """Name the lists of the model, which a loaded one does not do by itself."""
        return self.lists

    def requested_inputs(self) -> Dict[str, ModelOutput]:  # noqa: UP006
        """Name the other inputs of the model."""
        return self.inputs

    def uncertainty(
        self,
        systems: List[System],  # noqa: UP006
        given: TensorMap,
        selected_atoms: Optional[Labels],  # noqa: UP045
    ) -> tuple[Labels, torch.Tensor]:
        """Find expected error, error bar and `ood_score` of atoms, shape (3, n_atoms)."""
        block = given.block()
        samples = block.samples
        if samples.names != ["system", "atom"] or block.values.dim() != 2:
            raise ValueError(
                f"Expected {self.latents} to be a row for each atom, got samples "
                f"{samples.names} and shape {block.values.shape}."
            )
        types = torch.cat([system.types for system in systems])
        ends = torch.tensor([len(system) for system in systems]).cumsum(0)
        starts = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]]).to(types.device)
        rows, order = self.sorted_rows(starts, samples)
        labels = samples.values[order]
        own = block.values.detach()[order]
        if self.surroundings.of_all and len(rows) != len(types):
            raise ValueError(
                f"Expected {self.latents} of all {len(types)} atoms, got {len(rows)} rows."
            )
        latents = self.surroundings(systems, own)
        if self.surroundings.of_all and selected_atoms is not None:
            rows, order = self.sorted_rows(starts, selected_atoms)
            labels = selected_atoms.values[order]
            latents = latents[rows]
        if not bool(torch.isfinite(latents).all()):
            raise ValueError("Expected a model that gives finite latents, got NaN or infinity.")
        strata = self.strata_of(types[rows])
        parts: List[torch.Tensor] = []  # noqa: UP006
        for start in range(0, max(len(rows), 1), self.n_rows):
            end = start + self.n_rows
            parts.append(self.summary(latents[start:end], strata[start:end]))
        found = torch.cat(parts, dim=1)
        scaled = torch.cat([self.factor * found[:2], found[2:]])
        return Labels(["system", "atom"], labels), scaled.to(block.values.dtype)

    def sorted_rows(
        self, starts: torch.Tensor, samples: Labels
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give atoms a number in all systems together, and sort them by it."""
        rows = starts[samples.column("system").long()] + samples.column("atom")
        return torch.sort(rows)

    def strata_of(self, types: torch.Tensor) -> torch.Tensor:
        """Find the strata of atoms by their elements."""
        if len(self.elements) == 0:
            return torch.zeros_like(types).long()
        same = types.unsqueeze(1) == self.elements
        if not bool(same.any(dim=1).all()):
            known: List[int] = self.elements.tolist()  # noqa: UP006
            unknown = int(types[~same.any(dim=1)][0])
            raise ValueError(f"The estimator was fitted on atoms of {known}, got {unknown}.")
        return same.long().argmax(dim=1)

    def named(self, name: str, samples: Labels, values: torch.Tensor) -> TensorMap:
        """Give a number of each atom the form that metatomic wants."""
        zero = torch.zeros((1, 1), dtype=torch.int32, device=values.device)
        components: List[Labels] = []  # noqa: UP006
        properties = Labels([name.split("::")[1]], zero)
        block = TensorBlock(values.unsqueeze(1), samples, components, properties)
        return TensorMap(Labels(["_"], zero), [block])
