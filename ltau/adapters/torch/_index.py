"""Neighbours among the training latents, as tensors: scaled, and within each stratum."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from ltau.adapters.torch._search import BLOCK_VALUES, ExactSearch
from ltau.neighbors import LatentIndex, LatentScaler, Vectors, check_size

__all__ = ["TorchIndex"]

Neighbors = tuple[torch.Tensor, torch.Tensor]


class TorchIndex(torch.nn.Module):
    """The training latents of a `LatentIndex` of any kind, searched exactly.

    Parameters
    ----------
    index : LatentIndex
        The index.

    Raises
    ------
    ValueError
        If the strata are not integers.
    """

    classes: torch.Tensor | None

    def __init__(self, index: LatentIndex) -> None:
        super().__init__()
        classes = index.classes
        if classes is not None and classes.dtype.kind not in "iub":
            raise ValueError(
                "Expected an estimator with strata that are integers, which tensors can hold, "
                f"got {', '.join(map(str, classes))}."
            )
        labels = None if classes is None else torch.from_numpy(classes.astype(np.int64))
        self.register_buffer("classes", labels, persistent=False)
        self.strata = torch.nn.ModuleList(
            _Stratum(
                stratum.label,
                stratum.rows,
                stratum.scaler,
                stratum.index.vectors_of(np.arange(len(stratum.rows))),
            )
            for stratum in index.strata
        )
        self.n_features = index.n_features

    def forward(
        self, latents: torch.Tensor, k: int, strata: torch.Tensor | None = None
    ) -> Neighbors:
        """Find the `k` nearest training samples of each row, within its stratum.

        Parameters
        ----------
        latents : tensor of shape (n, n_features), float32
            The queries.
        k : int
            Number of neighbours, at most the samples of the smallest stratum asked.
        strata : tensor of shape (n,), integers, or None
            Class of each query.

        Returns
        -------
        distances : tensor of shape (n, k), float64
            Distances in the scaled latent space, ascending.
        rows : tensor of shape (n, k), int64
            Rows of the training set.

        Raises
        ------
        ValueError
            If latents are not finite or too large to measure; or a stratum is unknown, or
            has fewer than `k` samples.
        """
        if (self.classes is None) != (strata is None):
            how = "without" if self.classes is None else "with"
            raise ValueError(f"The estimator was fitted {how} strata: predict likewise.")
        if self.classes is None or strata is None:
            return cast(Neighbors, self.strata[0](latents, k))
        distances = latents.new_empty((len(latents), k), dtype=torch.float64)
        rows = latents.new_empty((len(latents), k), dtype=torch.int64)
        members = _members(self.classes, strata.long())
        for stratum, queries in zip(self.strata, members, strict=True):
            if len(queries):
                distances[queries], rows[queries] = stratum(latents[queries], k)
        return distances, rows


class _Stratum(torch.nn.Module):
    """One class of samples, with a scaling and a search of its own."""

    rows: torch.Tensor  # of the training set
    mean: torch.Tensor
    matrix: torch.Tensor | None

    def __init__(
        self, label: object, rows: NDArray[np.intp], scaler: LatentScaler, vectors: Vectors
    ) -> None:
        super().__init__()
        self.label = label
        self.search = ExactSearch(vectors)
        matrix = None if scaler.matrix is None else torch.tensor(scaler.matrix)
        self.register_buffer("rows", torch.tensor(rows), persistent=False)
        self.register_buffer("mean", torch.tensor(scaler.mean), persistent=False)
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, latents: torch.Tensor, k: int) -> Neighbors:
        check_size(len(self.rows), k, self.label)
        size = max(1, BLOCK_VALUES // latents.shape[1])
        queries = torch.cat([self._scaled(part) for part in latents.split(size)])
        distances, found = self.search(queries, k)
        return distances, self.rows[found]

    def _scaled(self, latents: torch.Tensor) -> torch.Tensor:
        """Scale as `LatentScaler.transform` does: in float64, rounded at the end."""
        centred = latents.double() - self.mean
        return (centred if self.matrix is None else centred @ self.matrix).float()


def _members(classes: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    """Find the queries of each class. For their numbers the host waits, once."""
    n_classes = len(classes)
    codes = torch.searchsorted(classes, labels).clamp(max=n_classes - 1)
    codes = torch.where(classes[codes] == labels, codes, n_classes)
    *sizes, n_unknown = torch.bincount(codes, minlength=n_classes + 1).tolist()
    order = codes.argsort()
    if n_unknown:
        seen = ", ".join(map(str, classes.tolist()))
        unknown = int(labels[order[-n_unknown:]].min())
        raise ValueError(f"Stratum {unknown} was not seen at fit, which saw {seen}.")
    return list(order.split(sizes))
