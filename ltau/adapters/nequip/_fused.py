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

from ltau._fitted.domain import FARTHEST
from ltau._fitted.prediction import quantile_levels
from ltau.adapters.nequip._blocks import SIZE, Blocks
from ltau.adapters.nequip._models import LATENTS, SUMMARY, UNCERTAINTY
from ltau.adapters.nequip._structures import Fields
from ltau.estimator import LTAUEstimator

__all__ = ["ModelWithUncertainty"]

_MOST = 100_000  # samples, which become a part of the compiled file
_BITS = SIZE.bit_length() - 1  # a shift takes less time than a division
_TINY = float(np.finfo(np.float64).tiny)  # no error has probability 0: this finds where they begin
_TIE = 1e-12  # of probabilities, in which rounding may make equal ones differ

Arrays = dict[str, NDArray[Any]]


class ModelWithUncertainty(torch.nn.Module):
    """A model whose output has the uncertainty of the forces too.

    Two more fields are given, both float64 and in the unit of the errors: `UNCERTAINTY`,
    of shape (3, n_atoms), with expected error, error bar and `ood_score`; and `SUMMARY`,
    of shape (2,), the largest expected error and their mean.

    Each atom is compared with the samples in the blocks nearest to it: with all of them,
    where prototypes fill few blocks, and else with as many blocks as find the estimator's
    `recall` of the nearest samples.

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
        If the estimator has too many samples, was calibrated with groups, or does not
        know an element of the model.
    """

    strata: torch.Tensor  # (n_types,), the stratum of each type of atoms
    means: torch.Tensor  # (n_strata, n_features), what is subtracted from latents
    scalings: torch.Tensor  # (n_features, n_strata * n_features), by which they are multiplied
    edges: torch.Tensor  # (n_bins + 1,)
    # Of the blocks of all strata:
    owners: torch.Tensor  # (n_blocks,), their strata
    centres: torch.Tensor  # (n_features, n_blocks)
    halves: torch.Tensor  # (n_blocks,), of the centres' squared lengths
    blocks: torch.Tensor  # (n_blocks, n_features, SIZE), the scaled samples
    # Of the samples, block by block:
    own_distances: torch.Tensor  # (n_blocks * SIZE,)
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
        n_samples = len(estimator._densities)
        if n_samples > _MOST:
            raise ValueError(
                f"Expected an estimator of at most {_MOST} samples to compile, got {n_samples}: "
                "fit one with n_prototypes."
            )
        self.model = model
        self.model_dtype = model.model_dtype
        self._k = estimator.n_neighbors
        self._by_distance = estimator.weights == "distance"
        self._scale, self._exponent = estimator._stretch()
        self._level = float(quantile_levels(estimator.calibration_, level, 1, None)[0, 0])
        strata = [Blocks.of(_vectors(stratum)) for stratum in estimator._index.strata]
        self._n_visited = max(blocks.n_to_visit(self._k, estimator.recall) for blocks in strata)
        arrays = _scaling(estimator) | _search(strata) | _samples(estimator, strata)
        arrays["strata"] = _strata_of_types(estimator, type_names)
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(np.ascontiguousarray(array)))

    def forward(self, fields: Fields) -> Fields:
        """Run the model, and add the fields `UNCERTAINTY` and `SUMMARY`."""
        out: Fields = self.model(fields)
        strata = self.strata[out[AtomicDataDict.ATOM_TYPE_KEY].flatten()]
        distances, rows = self._nearest(self._scaled(out[LATENTS].detach(), strata), strata)
        reference = self.own_distances[rows].sum(dim=1)
        distance = distances.sum(dim=1)
        ood_score = torch.where(distance == reference, 1.0, distance / reference)
        factor = self._scale * ood_score.clamp(1 / FARTHEST, FARTHEST) ** self._exponent
        weights = self._weights(distances)
        expected = factor * (weights * self.expected[rows]).sum(dim=1)
        bar = factor * self._quantile(rows, weights) * max(self._level, 1.0)
        summary = torch.stack([expected.amax(), expected.mean()])
        return {**out, UNCERTAINTY: torch.stack([expected, bar, ood_score]), SUMMARY: summary}

    def _scaled(self, latents: torch.Tensor, strata: torch.Tensor) -> torch.Tensor:
        """Scale latents as those of the samples of their strata, shape (n_atoms, n_features)."""
        centred = latents.double() - self.means[strata]
        by_stratum = (centred @ self.scalings).unflatten(1, self.means.shape)
        own = strata[:, None, None].expand(-1, 1, self.means.shape[1])
        return by_stratum.gather(1, own)[:, 0].float()

    def _nearest(
        self, scaled: torch.Tensor, strata: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find distances and numbers of the nearest samples, each of shape (n_atoms, k)."""
        to_centres = self.halves - scaled @ self.centres  # and the same for all: |q|² / 2
        to_centres = torch.where(strata[:, None] == self.owners, to_centres, torch.inf)
        bounds, visited = to_centres.topk(self._n_visited, dim=1, largest=False)
        squared = (scaled[:, None, :, None] - self.blocks[visited]).square().sum(dim=2)
        squared = torch.where(bounds[:, :, None] < torch.inf, squared, torch.inf).flatten(1)
        nearest, places = squared.topk(self._k, dim=1, largest=False)
        rows = SIZE * visited.gather(1, places >> _BITS) + (places & SIZE - 1)
        return nearest.double().sqrt(), rows

    def _quantile(self, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Find the error at which the averaged distribution reaches the level.

        Where it stays at the level for a while, that is the largest such error: how a sum is
        rounded must not decide it.
        """
        shares = weights / self.counts[rows, -1]
        n_bins = len(self.edges) - 1
        level = min(max(self._level, _TINY) * (1.0 + _TIE), 1.0 - _TIE)

        def cdf(edge: torch.Tensor) -> torch.Tensor:
            return (shares * self.counts[rows, edge[:, None]]).sum(dim=1)

        left = torch.zeros_like(rows[:, 0])  # the last edge below which too few errors are
        for bit in reversed(range(n_bins.bit_length())):
            edge = (left + (1 << bit)).clamp(max=n_bins)
            left = torch.where(cdf(edge) < level, edge, left)
        left = left.clamp(max=n_bins - 1)
        before, after = cdf(left), cdf(left + 1)
        fraction = ((level - before) / (after - before)).clamp(max=1.0)
        return self.edges[left] + fraction * (self.edges[left + 1] - self.edges[left])

    def _weights(self, distances: torch.Tensor) -> torch.Tensor:
        if not self._by_distance:
            return torch.full_like(distances, 1 / self._k)
        zero = distances == 0
        weights = torch.where(zero.any(dim=1, keepdim=True), zero.double(), 1 / distances)
        return weights / weights.sum(dim=1, keepdim=True)


def _scaling(estimator: LTAUEstimator) -> Arrays:
    scalers = [stratum.scaler for stratum in estimator._index.strata]
    eye = np.eye(estimator.n_features_in_)
    matrices = [eye if scaler.matrix is None else scaler.matrix for scaler in scalers]
    return {
        "means": np.stack([scaler.mean for scaler in scalers]),
        "scalings": np.concatenate(matrices, axis=1),
    }


def _search(strata: Sequence[Blocks]) -> Arrays:
    centres = np.concatenate([blocks.centres for blocks in strata])
    return {
        "owners": np.repeat(np.arange(len(strata)), [len(blocks.centres) for blocks in strata]),
        "centres": centres.T,
        "halves": (centres**2).sum(axis=1) / 2,
        "blocks": np.concatenate([blocks.filled() for blocks in strata]).transpose(0, 2, 1),
    }


def _samples(estimator: LTAUEstimator, strata: Sequence[Blocks]) -> Arrays:
    """Put what is known of the samples in the order of the blocks; rows without one have any."""
    members = [stratum.rows for stratum in estimator._index.strata]
    rows = np.concatenate(
        [own[blocks.rows.ravel()] for own, blocks in zip(members, strata, strict=True)]
    )
    densities = estimator._densities
    counts = densities.cumulative[rows]
    of_torch = {1: np.uint8, 2: np.int32}.get(counts.itemsize, np.int64)  # it lacks the others
    return {
        "own_distances": estimator._training_distances()[rows],
        "expected": densities.means[rows],
        "counts": np.pad(counts.astype(of_torch), ((0, 0), (1, 0))),
        "edges": densities.edges,
    }


def _vectors(stratum: Any) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = stratum.index.vectors_of(np.arange(len(stratum.rows)))
    return np.ascontiguousarray(vectors)


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
