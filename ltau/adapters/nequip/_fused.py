"""The uncertainty as a part of the model, to be compiled with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers
from nequip.data import AtomicDataDict
from numpy.typing import NDArray

from ltau._fitted.state import Table
from ltau.adapters._forces.graph import Arrays, SummaryGraph
from ltau.adapters.nequip._blocks import NOWHERE, SIZE, Blocks
from ltau.adapters.nequip._environment import environment_of
from ltau.adapters.nequip._fields import Fields
from ltau.adapters.nequip._models import LATENTS, SUMMARY, UNCERTAINTY
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff

__all__ = ["ModelWithUncertainty"]

_MOST = 100_000  # samples, which become a part of the compiled file
_FEW = 5  # of which the least are found one by one
_PLACE = (1 << 29) - 1  # the bits of a float64 that those of a float32 leave free
_BITS = SIZE.bit_length() - 1  # a shift takes less time than a division


class ModelWithUncertainty(torch.nn.Module):
    """A model whose output has the uncertainty of the forces too.

    Two more fields are given, both float64 and in the unit of the errors: `UNCERTAINTY`,
    of shape (3, n_atoms), with expected error, error bar and `ood_score`; and `SUMMARY`,
    of shape (2,), the largest expected error and their mean.

    Parameters
    ----------
    model : torch.nn.Module
        A NequIP model that gives latents.
    estimator : LTAUEstimator
        Fitted on the model's latents and errors of forces, with no more than 100,000
        samples or prototypes. Strata are atomic numbers.
    level : float
        Probability that an error stays within its error bar.
    type_names : sequence of str
        The chemical symbol of each of the model's types of atoms.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator has too many samples, was fitted with targets, was calibrated with
        groups, or does not know an element of the model.
    """

    strata: torch.Tensor  # (n_types,), the stratum of each type of atoms

    def __init__(
        self,
        model: Any,
        estimator: LTAUEstimator,
        level: float,
        type_names: Sequence[str],
    ) -> None:
        super().__init__()
        self.model = model
        self.model_dtype = model.model_dtype
        self.summary = BlockSummary(estimator, level, _MOST)
        self._cutoff = environment_cutoff(estimator)
        self.register_buffer("strata", torch.tensor(_strata_of_types(estimator, type_names)))

    def forward(self, fields: Fields) -> Fields:
        """Run the model, and add the fields `UNCERTAINTY` and `SUMMARY`."""
        out: Fields = self.model(fields)
        strata = self.strata[out[AtomicDataDict.ATOM_TYPE_KEY].flatten()]
        latents = out[LATENTS].detach()
        if self._cutoff is not None:
            latents = environment_of(latents, fields, self._cutoff)
        found = self.summary(latents, strata)
        largest_and_mean = torch.stack([found[0].amax(), found[0].mean()])
        return {**out, UNCERTAINTY: found, SUMMARY: largest_and_mean}


class BlockSummary(SummaryGraph):
    """The summary of samples in blocks of one size.

    Each atom is compared with the samples in the blocks nearest to it: with all of them,
    where prototypes fill few blocks, and else with as many blocks as find the estimator's
    `recall` of the nearest samples.

    Parameters
    ----------
    estimator, level, most
        As in `SummaryGraph`.
    """

    means: torch.Tensor  # (n_strata, n_features), what is subtracted from latents
    scalings: torch.Tensor  # (n_strata, n_features, n_features), by which they are multiplied
    # Of the blocks of all strata:
    owners: torch.Tensor  # (n_blocks,), their strata
    centres: torch.Tensor  # (n_features, n_blocks)
    halves: torch.Tensor  # (n_blocks,), of the centres' squared lengths
    blocks: torch.Tensor  # (n_blocks, n_features, SIZE), the scaled samples

    def keep_vectors(self, tables: Sequence[Table], recall: float) -> NDArray[np.intp]:
        """Keep the samples block by block; places without one have any."""
        strata = [Blocks.of(table.vectors) for table in tables]
        self._n_visited = max(blocks.n_to_visit(self.n_neighbors, recall) for blocks in strata)
        self.keep(_scaling(tables) | _search(strata))
        return np.concatenate(
            [
                table.numbers[blocks.rows.ravel()]
                for table, blocks in zip(tables, strata, strict=True)
            ]
        )

    def nearest(
        self, latents: torch.Tensor, strata: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find distances and numbers of the nearest samples, each of shape (n_atoms, k)."""
        scaled = self._scaled(latents, strata)
        to_centres = self.halves - scaled @ self.centres  # and the same for all: |q|² / 2
        to_centres = torch.where(strata[:, None] == self.owners, to_centres, torch.inf)
        bounds, visited = _least(to_centres, self._n_visited)
        squared = (scaled[:, None, :, None] - self.blocks[visited]).square().sum(dim=2)
        squared = torch.where(bounds[:, :, None] < torch.inf, squared, torch.inf).flatten(1)
        n_found = min(self.n_neighbors, squared.shape[1])
        nearest, places = _least(squared, n_found)
        rows = SIZE * visited.gather(1, places >> _BITS) + (places & SIZE - 1)
        distances = nearest.double().sqrt()
        if self.merged:  # there may be fewer neighbours than places in the nearest blocks
            distances = torch.where(distances < NOWHERE, distances, torch.inf)
        return distances, rows

    def _scaled(self, latents: torch.Tensor, strata: torch.Tensor) -> torch.Tensor:
        """Scale latents as those of the samples of their strata, shape (n_atoms, n_features)."""
        centred = (latents.double() - self.means[strata]).float()
        if len(self.scalings) == 1:
            return centred @ self.scalings[0]
        return (centred[:, :, None] * self.scalings[strata]).sum(dim=1)


def _least(values: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the `k` least values of each row, float32, ascending, and their places.

    Few are found one by one, which is compiled into what comes before and after. A float32
    leaves bits of a float64 free for its place: the least of these is found in one go.
    """
    if k > _FEW:
        return values.topk(k, dim=1, largest=False)
    most = torch.finfo(values.dtype).max  # infinity has no bits to spare
    places = torch.arange(values.shape[1], device=values.device)
    keys = (values.clamp(max=most).double().view(torch.int64) | places).view(torch.float64)
    least = [keys.amin(dim=1)]
    while len(least) < k:
        keys = torch.where(keys == least[-1][:, None], torch.inf, keys)
        least.append(keys.amin(dim=1))
    found = torch.stack(least, dim=1).view(torch.int64)
    values = (found & ~_PLACE).view(torch.float64).float()
    return torch.where(values < most, values, torch.inf), found & _PLACE


def _scaling(tables: Sequence[Table]) -> Arrays:
    eye = np.eye(len(tables[0].scaler.mean))
    matrices = [eye if t.scaler.matrix is None else t.scaler.matrix for t in tables]
    return {
        "means": np.stack([table.scaler.mean for table in tables]),
        "scalings": np.stack(matrices).astype(np.float32),
    }


def _search(strata: Sequence[Blocks]) -> Arrays:
    centres = np.concatenate([blocks.centres for blocks in strata])
    return {
        "owners": np.repeat(np.arange(len(strata)), [len(blocks.centres) for blocks in strata]),
        "centres": centres.T,
        "halves": (centres**2).sum(axis=1) / 2,
        "blocks": np.concatenate([blocks.filled() for blocks in strata]).transpose(0, 2, 1),
    }


def _strata_of_types(estimator: LTAUEstimator, type_names: Sequence[str]) -> np.ndarray:
    """Find the number of the stratum of each type of atoms."""
    if estimator.strata_ is None:
        return np.zeros(len(type_names), np.int64)
    known = estimator.strata_.tolist()
    unknown = [name for name in type_names if atomic_numbers.get(name) not in known]
    if unknown:
        raise ValueError(
            "Expected an estimator whose strata are the atomic numbers of all elements of the "
            f"model, {', '.join(type_names)}, got {known}."
        )
    return np.array([known.index(atomic_numbers[name]) for name in type_names])
