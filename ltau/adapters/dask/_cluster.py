"""Results of tasks, brought together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dask import delayed
from dask.delayed import Delayed
from distributed import Client, as_completed

from ltau._batches import batches
from ltau.adapters.dask._merging import nearest

__all__ = ["gather", "gather_as_finished", "merge"]

_MERGED_AT_ONCE = 16  # neighbours from so many shards


def gather(client: Client, tasks: list[Delayed]) -> list[Any]:
    """Compute tasks; what one of them raises is raised here."""
    return client.gather(client.compute(tasks))


def gather_as_finished(client: Client, tasks: list[Delayed]) -> Iterator[tuple[int, Any]]:
    """Compute tasks, and give the number and the result of each as soon as it is there."""
    futures = client.compute(tasks)
    numbers = {future.key: number for number, future in enumerate(futures)}
    finished = as_completed(futures, loop=client.loop, with_results=True)
    del futures  # or the cluster would keep what has been given
    for future, result in finished:
        yield numbers[future.key], result


def merge(found: list[Delayed], k: int) -> Delayed:
    """Merge what the shards found, the `k` nearest, some shards at a time."""
    while len(found) > 1:
        groups = batches(len(found), _MERGED_AT_ONCE)
        found = [delayed(nearest)(found[group], k) for group in groups]
    return found[0]
