"""Results of tasks, brought to the client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dask.delayed import Delayed
from distributed import Client, as_completed

__all__ = ["gather", "gather_as_finished"]


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
