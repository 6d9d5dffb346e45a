"""Which training samples a batch is made of."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

__all__ = ["BatchIds", "IndexedDataset", "Numbered"]


class Numbered(NamedTuple):
    """A sample and its id; put together by a loader, which keeps the type, a batch and its ids."""

    ids: Any
    batch: Any


class IndexedDataset(Dataset[Numbered]):
    """Give every sample of a dataset with its id, so that a batch tells which it holds.

    Item ``i`` is ``(i, dataset[i])``, and a loop reads ``for ids, (x, y) in loader``.
    Shuffling, workers and samplers change nothing about the ids, and neither does a
    ``Subset`` of the indexed dataset: its ids are those of the whole.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset or sequence
        The training samples, with a length.

    Raises
    ------
    TypeError
        If the dataset has no length, or is an ``IterableDataset``: its samples have no
        numbers.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> from ltau.adapters.torch import IndexedDataset
    >>> data = TensorDataset(torch.tensor([0.0, 0.1, 0.2]), torch.tensor([5.0, 6.0, 7.0]))
    >>> loader = DataLoader(IndexedDataset(data), batch_size=2)
    >>> for ids, (x, y) in loader:
    ...     print(ids, x, y)
    tensor([0, 1]) tensor([0.0000, 0.1000]) tensor([5., 6.])
    tensor([2]) tensor([0.2000]) tensor([7.])
    """

    def __init__(self, dataset: Dataset[Any] | Sequence[Any]) -> None:
        if isinstance(dataset, IterableDataset) or not isinstance(dataset, Sized):
            raise TypeError(
                "Expected a dataset with a length, whose samples have numbers, got "
                f"{type(dataset).__name__}."
            )
        self.dataset = dataset

    def __repr__(self) -> str:
        return f"IndexedDataset(n_samples={len(self)})"

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Numbered:
        return Numbered(index, self.dataset[index])

    def __getitems__(self, indices: list[int]) -> list[Numbered]:
        """Give a whole batch, at once where the dataset can."""
        fetch = getattr(self.dataset, "__getitems__", None)
        items = fetch(indices) if callable(fetch) else [self.dataset[i] for i in indices]
        return [Numbered(*pair) for pair in zip(indices, items, strict=True)]


class BatchIds:
    """The ids of a loader's batches, queued as it draws them.

    For trainers in which nobody but the loader may touch a batch. A ``DataLoader`` draws
    ids in the process that iterates it, and gives batches in the order of the draws,
    with workers too.
    """

    def __init__(self) -> None:
        self._drawn: deque[Sequence[int]] = deque()

    def watch(self, loader: object) -> DataLoader[Any]:
        """Copy a loader, so that the ids of each batch that the copy draws are queued."""
        if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
            got = loader.dataset if isinstance(loader, DataLoader) else loader
            raise TypeError(
                "Expected a DataLoader of a dataset with a length, whose samples have numbers, "
                f"got {type(got).__name__}."
            )
        if loader.batch_sampler is None:
            raise ValueError("Expected a DataLoader that makes the batches, got batch_size=None.")
        if not getattr(loader, "in_order", True):
            raise ValueError("Expected a DataLoader that keeps the order, got in_order=False.")
        watched = copy.copy(loader)
        # A loader refuses another sampler once it is made; nobody has seen the copy yet.
        vars(watched).update(
            batch_sampler=_Watched(loader.batch_sampler, self._drawn), _iterator=None
        )
        return watched

    def next(self) -> torch.Tensor:
        """Take the ids of the next batch, shape (n,)."""
        return torch.as_tensor(self._drawn.popleft())


class _Watched:
    """A batch sampler that also puts what it draws into a queue."""

    def __init__(self, batches: Any, drawn: deque[Sequence[int]]) -> None:
        self._batches: Iterable[Sequence[int]] = batches
        self._drawn = drawn

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Sequence[int]]:
        self._drawn.clear()  # of batches that the last epoch did not use
        for ids in self._batches:
            self._drawn.append(ids)
            yield ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)  # trainers call set_epoch of what is inside
