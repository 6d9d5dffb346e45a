"""Neighbours among the training latents, as tensors: scaled, and within each stratum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ltau._fitted.state import Fitted, Table
from ltau._inputs.labels import check_size, check_strata_given, refuse_unseen
from ltau._maths.weights import EQUALLY_NEAR
from ltau.adapters.torch._search import BLOCK_VALUES, ExactSearch
from ltau.neighbors import Stratum, TooManyEquallyNear

__all__ = ["TorchFound", "TorchIndex"]

Neighbors = tuple[torch.Tensor, torch.Tensor]

_WIDE = 64  # neighbours that are searched at least, where some are equally near
_MOST_FOUND = 1 << 21  # distances at once, where many are


class TorchFound(NamedTuple):
    """The nearest samples of some queries, as `ltau.neighbors.Found` has them."""

    distances: torch.Tensor  # (n, m), float64, ascending; infinite where there are fewer
    numbers: torch.Tensor  # (n, m), int64
    strata: torch.Tensor  # (n,), int64


class TorchIndex(torch.nn.Module):
    """The training latents of an index of any kind, searched exactly.

    Parameters
    ----------
    fitted : Fitted
        What a fit has left.

    Raises
    ------
    ValueError
        If the strata are not integers.
    """

    classes: torch.Tensor | None

    def __init__(self, fitted: Fitted) -> None:
        super().__init__()
        index = fitted.index
        classes = index.classes
        if classes is not None and classes.dtype.kind not in "iub":
            raise ValueError(
                "Expected an estimator with strata that are integers, which tensors can hold, "
                f"got {', '.join(map(str, classes))}."
            )
        labels = None if classes is None else torch.from_numpy(classes.astype(np.int64))
        self.register_buffer("classes", labels, persistent=False)
        self.strata = torch.nn.ModuleList(map(_Stratum, fitted.tables(), fitted.index.strata))
        self.n_features = index.n_features

    def forward(
        self, latents: torch.Tensor, k: int, strata: torch.Tensor | None = None
    ) -> TorchFound:
        """Find the `k` nearest samples of each row within its stratum, and those equally near.

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
        TorchFound
            What was found, as `LatentIndex.search` gives it.

        Raises
        ------
        ValueError
            If latents are not finite or too large to measure; or a stratum is unknown, or
            has fewer than `k` samples.
        """
        check_strata_given(strata is not None, self.classes is not None)
        if self.classes is None or strata is None:
            distances, numbers = self.strata[0](latents, k)
            return TorchFound(distances, numbers, torch.zeros_like(numbers[:, 0]))
        queries_of = _rows_by_stratum(self.classes, strata.long())
        found = [
            (queries, stratum(latents[queries], k))
            for stratum, queries in zip(self.strata, queries_of, strict=True)
            if len(queries)
        ]
        width = max(distances.shape[1] for _, (distances, _) in found)
        distances = latents.new_full((len(latents), width), torch.inf, dtype=torch.float64)
        numbers = latents.new_zeros((len(latents), width), dtype=torch.int64)
        for queries, (near, which) in found:
            distances[queries, : near.shape[1]] = near
            numbers[queries, : near.shape[1]] = which
        return TorchFound(distances, numbers, torch.searchsorted(self.classes, strata.long()))


class _Stratum(torch.nn.Module):
    """One class of samples, with a scaling and a search of its own."""

    numbers: torch.Tensor  # of the samples
    mean: torch.Tensor
    matrix: torch.Tensor | None

    def __init__(self, table: Table, stratum: Stratum) -> None:
        super().__init__()
        self.label = table.label
        self.n_samples = stratum.n_samples
        self.search = ExactSearch(table.vectors)
        matrix = None if table.scaler.matrix is None else torch.tensor(table.scaler.matrix)
        self.register_buffer("numbers", torch.tensor(table.numbers), persistent=False)
        self.register_buffer("mean", torch.tensor(table.scaler.mean), persistent=False)
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, latents: torch.Tensor, k: int) -> Neighbors:
        check_size(self.n_samples, k, self.label, "training samples or prototypes")
        size = max(1, BLOCK_VALUES // latents.shape[1])
        queries = torch.cat([self._scaled(part) for part in latents.split(size)])
        distances, found = self._equally_near(queries, min(k, self.search.n))
        return distances, self.numbers[found]

    def _equally_near(self, queries: torch.Tensor, k: int) -> Neighbors:
        """Find the `k` nearest, and those as near as the last, as `search_equally_near` does."""
        n, width = self.search.n, min(k + 1, self.search.n)
        distances, found = self.search(queries, width)
        last = distances[:, k - 1 : k] * (1 + EQUALLY_NEAR)
        tied = (distances[:, -1:] <= last).any(dim=1).nonzero()[:, 0] if width < n else []
        if k < width < n and not len(tied):
            return distances[:, :k], found[:, :k]
        while len(tied) and width < n:
            more = min(max(2 * width, _WIDE), n) - width
            width += more
            if len(queries) > 1 and len(queries) * width > _MOST_FOUND:
                raise TooManyEquallyNear
            distances = torch.nn.functional.pad(distances, (0, more), value=torch.inf)
            found = torch.nn.functional.pad(found, (0, more))
            distances[tied], found[tied] = self.search(queries[tied], width)
            tied = tied[(distances[tied, -1:] <= last[tied])[:, 0]]
        distances = torch.where(distances <= last, distances, torch.inf)
        used = int((distances < torch.inf).sum(dim=1).max())
        return distances[:, :used], found[:, :used]

    def _scaled(self, latents: torch.Tensor) -> torch.Tensor:
        """Scale as `LatentScaler.transform` does: in float64, rounded at the end."""
        centred = latents.double() - self.mean
        return (centred if self.matrix is None else centred @ self.matrix).float()


def _rows_by_stratum(classes: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    """Find the queries of each class. For their numbers the host waits, once."""
    n_classes = len(classes)
    codes = torch.searchsorted(classes, labels).clamp(max=n_classes - 1)
    codes = torch.where(classes[codes] == labels, codes, n_classes)
    *sizes, n_unknown = torch.bincount(codes, minlength=n_classes + 1).tolist()
    order = codes.argsort()
    if n_unknown:
        refuse_unseen(labels[order[-n_unknown:]].unique().tolist(), classes.tolist())
    return list(order.split(sizes))
