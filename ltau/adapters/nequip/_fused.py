"""The uncertainty as a part of the model, to be compiled with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers
from nequip.data import AtomicDataDict
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ltau._fitted.conformal import quantile_levels
from ltau._fitted.own_distances import OwnDistances
from ltau._fitted.state import Fitted, Table
from ltau._maths.domain import error_factor, local_ratio
from ltau._maths.ties import level_to_reach, quantile_in_bin
from ltau._maths.weights import inverse_distance_weights, neighbor_places
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

Arrays = dict[str, NDArray[Any]]


class ModelWithUncertainty(torch.nn.Module):
    """A model whose output has the uncertainty of the forces too.

    Two more fields are given, both float64 and in the unit of the errors: `UNCERTAINTY`,
    of shape (3, n_atoms), with expected error, error bar and `ood_score`; and `SUMMARY`,
    of shape (2,), the largest expected error and their mean.

    Each atom is compared with the samples in the blocks nearest to it: with all of them,
    where prototypes fill few blocks, and else with as many blocks as find the estimator's
    `recall` of the nearest samples. Training samples that coincide count together, as in the
    estimator; of others that are exactly as near as the last neighbour, the first count.

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
    means: torch.Tensor  # (n_strata, n_features), what is subtracted from latents
    scalings: torch.Tensor  # (n_strata, n_features, n_features), by which they are multiplied
    edges: torch.Tensor  # (n_bins + 1,)
    own_floors: torch.Tensor  # (n_strata,), the least own distance that counts
    floors: torch.Tensor  # (n_strata,), below which samples coincide
    # Of the blocks of all strata:
    owners: torch.Tensor  # (n_blocks,), their strata
    centres: torch.Tensor  # (n_features, n_blocks)
    halves: torch.Tensor  # (n_blocks,), of the centres' squared lengths
    blocks: torch.Tensor  # (n_blocks, n_features, SIZE), the scaled samples
    # Of the samples, block by block:
    own_distances: torch.Tensor  # (n_blocks * SIZE,)
    sizes: torch.Tensor  # (n_blocks * SIZE,), training samples that each stands for
    expected: torch.Tensor  # (n_blocks * SIZE,), expected errors
    counts: torch.Tensor  # (n_blocks * SIZE, n_bins + 1), how many errors are below each edge

    def __init__(
        self,
        model: Any,
        estimator: LTAUEstimator,
        level: float,
        type_names: Sequence[str],
    ) -> None:
        super().__init__()
        check_is_fitted(estimator)
        settings, fitted = estimator.settings(), estimator.fitted_
        n_samples = len(fitted.densities)
        if n_samples > _MOST:
            raise ValueError(
                f"Expected an estimator of at most {_MOST} samples to compile, got {n_samples}: "
                "fit one with n_prototypes."
            )
        if fitted.targets is not None:
            raise ValueError("Expected an estimator fitted without targets, got one with targets.")
        self.model = model
        self.model_dtype = model.model_dtype
        self._settings = settings
        self._cutoff = environment_cutoff(estimator)
        self._level = float(quantile_levels(settings.calibration, level, 1, None)[0, 0])
        self._merged = fitted.sizes is not None
        tables = list(fitted.tables())
        strata = [Blocks.of(table.vectors) for table in tables]
        k = settings.n_neighbors
        self._n_visited = max(blocks.n_to_visit(k, estimator.recall) for blocks in strata)
        own = fitted.own_distances(k)
        arrays = _scaling(tables) | _search(strata) | _samples(fitted, own, tables, strata)
        arrays |= {"own_floors": own.floors, "floors": fitted.floors}
        arrays["strata"] = _strata_of_types(estimator, type_names)
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(np.ascontiguousarray(array)))

    def forward(self, fields: Fields) -> Fields:
        """Run the model, and add the fields `UNCERTAINTY` and `SUMMARY`."""
        out: Fields = self.model(fields)
        strata = self.strata[out[AtomicDataDict.ATOM_TYPE_KEY].flatten()]
        latents = out[LATENTS].detach()
        if self._cutoff is not None:
            latents = environment_of(latents, fields, self._cutoff)
        distances, rows = self._nearest(self._scaled(latents, strata), strata)
        ood_score = self._score(distances, rows, strata)
        factor = error_factor(self._settings, ood_score)
        weights = self._weights(distances, rows, strata)
        expected = factor * (weights * self.expected[rows]).sum(dim=1)
        bar = factor * self._quantile(rows, weights) * max(self._level, 1.0)
        summary = torch.stack([expected.amax(), expected.mean()])
        return {**out, UNCERTAINTY: torch.stack([expected, bar, ood_score]), SUMMARY: summary}

    def _scaled(self, latents: torch.Tensor, strata: torch.Tensor) -> torch.Tensor:
        """Scale latents as those of the samples of their strata, shape (n_atoms, n_features)."""
        centred = (latents.double() - self.means[strata]).float()
        if len(self.scalings) == 1:
            return centred @ self.scalings[0]
        return (centred[:, :, None] * self.scalings[strata]).sum(dim=1)

    def _nearest(
        self, scaled: torch.Tensor, strata: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find distances and numbers of the nearest samples, each of shape (n_atoms, k)."""
        to_centres = self.halves - scaled @ self.centres  # and the same for all: |q|² / 2
        to_centres = torch.where(strata[:, None] == self.owners, to_centres, torch.inf)
        bounds, visited = _least(to_centres, self._n_visited)
        squared = (scaled[:, None, :, None] - self.blocks[visited]).square().sum(dim=2)
        squared = torch.where(bounds[:, :, None] < torch.inf, squared, torch.inf).flatten(1)
        n_found = min(self._settings.n_neighbors, squared.shape[1])
        nearest, places = _least(squared, n_found)
        rows = SIZE * visited.gather(1, places >> _BITS) + (places & SIZE - 1)
        distances = nearest.double().sqrt()
        if self._merged:  # there may be fewer neighbours than places in the nearest blocks
            distances = torch.where(distances < NOWHERE, distances, torch.inf)
        return distances, rows

    def _score(
        self, distances: torch.Tensor, rows: torch.Tensor, strata: torch.Tensor
    ) -> torch.Tensor:
        """Compare the distance to the nearest samples with their own."""
        theirs, floor = self.own_distances[rows], self.own_floors[strata]
        if not self._merged:
            floor = self._settings.n_neighbors * floor
            return local_ratio(torch, distances.sum(dim=1).maximum(floor), theirs.sum(dim=1))
        there = distances < torch.inf
        n = there.sum(dim=1, keepdim=True)
        shares = neighbor_places(torch, distances, there.double(), n) / n
        distance = (shares * torch.where(there, distances, 0.0)).sum(dim=1)
        return local_ratio(torch, distance.maximum(floor), (shares * theirs).sum(dim=1))

    def _weights(
        self, distances: torch.Tensor, rows: torch.Tensor, strata: torch.Tensor
    ) -> torch.Tensor:
        """Weigh the neighbours of each atom."""
        k = self._settings.n_neighbors
        places = torch.ones_like(distances)
        if self._merged:
            sizes = (distances < torch.inf) * self.sizes[rows]
            places = neighbor_places(torch, distances, sizes, k)
        if self._settings.weights == "uniform":
            return places / k
        floors = self.floors[strata][:, None]
        return inverse_distance_weights(torch, distances, places, floors)

    def _quantile(self, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Find the error at which the averaged distribution reaches the level, by the tie rule."""
        shares = weights / self.counts[rows, -1]
        n_bins = len(self.edges) - 1
        level = min(self._level, 1.0)
        to_reach = float(level_to_reach(np.float64(level)))

        def cdf(edge: torch.Tensor) -> torch.Tensor:
            return (shares * self.counts[rows, edge[:, None]]).sum(dim=1)

        left = torch.zeros_like(rows[:, 0])  # the last edge below which too few errors are
        for bit in reversed(range(n_bins.bit_length())):
            edge = (left + (1 << bit)).clamp(max=n_bins)
            left = torch.where(cdf(edge) < to_reach, edge, left)
        left = left.clamp(max=n_bins - 1)
        right = left + 1
        ends = cdf(left), cdf(right), self.edges[left], self.edges[right]
        return quantile_in_bin(level, *ends)


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


def _samples(
    fitted: Fitted, own: OwnDistances, tables: Sequence[Table], strata: Sequence[Blocks]
) -> Arrays:
    """Put what is known of the samples in the order of the blocks; rows without one have any."""
    rows = np.concatenate(
        [table.numbers[blocks.rows.ravel()] for table, blocks in zip(tables, strata, strict=True)]
    )
    densities = fitted.densities
    counts = densities.cumulative[rows]
    of_torch = {1: np.uint8, 2: np.int32}.get(counts.itemsize, np.int64)  # it lacks the others
    return {
        "own_distances": own.values[rows],
        "sizes": np.ones(len(rows)) if fitted.sizes is None else fitted.sizes[rows],
        "expected": densities.means[rows],
        "counts": np.pad(counts.astype(of_torch), ((0, 0), (1, 0))),
        "edges": densities.edges,
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
