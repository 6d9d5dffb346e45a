"""The uncertainty as a part of the model, to be compiled with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers
from nequip.data import AtomicDataDict
from sklearn.utils.validation import check_is_fitted

from ltau.adapters.nequip._models import LATENTS, UNCERTAINTY
from ltau.adapters.nequip._structures import Fields
from ltau.domain import FARTHEST
from ltau.estimator import LTAUEstimator
from ltau.prediction import quantile_levels

__all__ = ["ModelWithUncertainty"]

_MOST = 5000  # samples: an atom is compared with each
_TINY = float(np.finfo(np.float64).tiny)  # no error has probability 0: this finds where they begin


class ModelWithUncertainty(torch.nn.Module):
    """A model whose output has the uncertainty of the forces too.

    Every atom is compared with every sample of the estimator, which for prototypes takes
    less time than to call anything else.

    Parameters
    ----------
    model : torch.nn.Module
        A NequIP model that gives latents.
    estimator : LTAUEstimator
        Fitted on the model's latents and errors of forces, with no more than 5,000
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
        know an element of the model, or latents have another width.
    """

    strata: torch.Tensor  # (n_types,), the stratum of each type of atoms
    product: torch.Tensor  # (n_features, n_samples + n_strata * n_features), see `_product`
    offset: torch.Tensor  # (n_samples + n_strata * n_features,)
    axes: torch.Tensor  # (n_strata * n_features,), the stratum of each scaled feature
    # Of the samples, stratum by stratum:
    lengths: torch.Tensor  # (n_samples,), squared
    owners: torch.Tensor  # (n_samples,), their strata
    own_distances: torch.Tensor  # (n_samples,)
    expected: torch.Tensor  # (n_samples,), expected errors
    cdfs: torch.Tensor  # (n_samples, n_bins + 1), probabilities below each edge
    edges: torch.Tensor  # (n_bins + 1,)

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
        strata = estimator._index._strata
        rows = np.concatenate([stratum.rows for stratum in strata])
        product, offset = _product(strata)
        arrays = {
            "product": product,
            "offset": offset,
            "lengths": np.concatenate([_lengths(stratum) for stratum in strata]),
            "owners": np.repeat(np.arange(len(strata)), [len(stratum.rows) for stratum in strata]),
            "axes": np.repeat(np.arange(len(strata)), estimator.n_features_in_),
            "own_distances": estimator._training_distances()[rows],
            "expected": estimator._densities.means[rows],
            "cdfs": _cdfs(estimator, rows),
            "edges": estimator._densities.edges,
            "strata": _strata_of_types(estimator, type_names),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(np.ascontiguousarray(array)))

    def forward(self, fields: Fields) -> Fields:
        """Run the model, and add the field `UNCERTAINTY`, of shape (n_atoms, 3)."""
        out: Fields = self.model(fields)
        strata = self.strata[out[AtomicDataDict.ATOM_TYPE_KEY].flatten()]
        distances, rows = self._nearest(out[LATENTS].detach(), strata)
        reference = self.own_distances[rows].sum(dim=1)
        distance = distances.sum(dim=1)
        ood_score = torch.where(distance == reference, 1.0, distance / reference)
        factor = self._scale * ood_score.clamp(1 / FARTHEST, FARTHEST) ** self._exponent
        weights = self._weights(distances)
        expected = factor * (weights * self.expected[rows]).sum(dim=1)
        bar = factor * self._quantile(rows, weights) * max(self._level, 1.0)
        return {**out, UNCERTAINTY: torch.stack([expected, bar, ood_score], dim=1)}

    def _nearest(
        self, latents: torch.Tensor, strata: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find distances and numbers of the nearest samples, each of shape (n_atoms, k)."""
        # One product of matrices scales for each stratum, and multiplies with its samples:
        # |q - x|² = |q|² - 2 q·x + |x|² is fast so, and in double precision exact enough.
        products = latents.double() @ self.product - self.offset
        n_samples = len(self.lengths)
        scaled = torch.where(strata[:, None] == self.axes, products[:, n_samples:], 0.0)
        squared = (scaled**2).sum(dim=1, keepdim=True) - 2 * products[:, :n_samples] + self.lengths
        squared = torch.where(strata[:, None] == self.owners, squared, torch.inf)
        nearest, rows = squared.topk(self._k, dim=1, largest=False)
        return nearest.clamp(min=0.0).sqrt(), rows

    def _quantile(self, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Find the smallest error at which the averaged distribution reaches the level."""
        cdf = (self.cdfs[rows] * weights[:, :, None]).sum(dim=1)
        level = max(min(self._level, 1.0), _TINY)
        right = ((cdf[:, 1:] < level).sum(dim=1, keepdim=True) + 1).clamp(max=cdf.shape[1] - 1)
        before, after = cdf.gather(1, right - 1), cdf.gather(1, right)
        left = self.edges[right - 1]
        fraction = ((level - before) / (after - before)).clamp(max=1.0)
        return (left + fraction * (self.edges[right] - left))[:, 0]

    def _weights(self, distances: torch.Tensor) -> torch.Tensor:
        if not self._by_distance:
            return torch.full_like(distances, 1 / self._k)
        zero = distances == 0
        weights = torch.where(zero.any(dim=1, keepdim=True), zero.double(), 1 / distances)
        return weights / weights.sum(dim=1, keepdim=True)


def _cdfs(estimator: LTAUEstimator, rows: np.ndarray) -> np.ndarray:
    counts = estimator._densities.cumulative[rows].astype(np.float64)
    return np.pad(counts / counts[:, -1:], ((0, 0), (1, 0)))


def _product(strata: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Put together what latents are multiplied with, and what is subtracted then.

    The columns are those of the scaled samples of each stratum, ``W x``, then those of the
    scalings themselves, ``W``.
    """
    matrices = [stratum.scaler.matrix for stratum in strata]
    means = [stratum.scaler.mean for stratum in strata]
    eye = np.eye(len(means[0]))
    scalings = [eye if matrix is None else matrix for matrix in matrices]
    samples = [
        scaling @ _vectors(stratum).T for scaling, stratum in zip(scalings, strata, strict=True)
    ]
    offsets = [
        mean @ block
        for blocks in (samples, scalings)
        for mean, block in zip(means, blocks, strict=True)
    ]
    return np.concatenate([*samples, *scalings], axis=1), np.concatenate(offsets)


def _lengths(stratum: Any) -> np.ndarray:
    lengths: np.ndarray = (_vectors(stratum) ** 2).sum(axis=1)
    return lengths


def _vectors(stratum: Any) -> np.ndarray:
    rows = np.arange(len(stratum.rows))
    return np.asarray(stratum.index.vectors_of(rows), dtype=np.float64)


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
