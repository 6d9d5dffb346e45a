"""What all are given: rows of a table, and a network that was trained on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.latents import clustered
from benchmarks.harness.members import member
from ltau.comparison.network import Network

__all__ = ["FULL", "N_FEATURES", "QUICK", "Given", "Profile", "Table", "batches", "prepare"]

N_FEATURES = 32
_N_MEMBERS = 10
_NOISE = 0.1  # of the target, whose other part is between -1 and 1
_ROWS_OF_MEMBERS = 2000  # a pass takes as long, whatever a network has learnt

Table = NDArray[Any]  # in float32, which is the fastest for all


@dataclass(frozen=True)
class Profile:
    """How much is measured."""

    n_train: int
    n_held_out: int
    n_queries: int
    n_epochs: int
    rounds: dict[int, int]  # how many, for each number of rows in a batch


FULL = Profile(100_000, 5000, 30_000, 20, {15: 300, 1000: 40})
QUICK = Profile(2000, 500, 2000, 2, {15: 5, 1000: 3})


class Given(NamedTuple):
    """Features of shape (n, 32), which serve as latents too; a target of shape (n,)."""

    X: Table
    y: Table
    held_out: tuple[Table, Table]
    queries: Table
    network: Network  # trained on X and y
    errors: Table  # (n, n_epochs), which it made while it was trained
    members: list[Network]  # of an ensemble; the first is the network


def prepare(profile: Profile) -> Given:
    """Draw rows, and train on them."""
    ends = np.cumsum([profile.n_train, profile.n_held_out, profile.n_queries])
    X: Table = clustered(int(ends[-1]), N_FEATURES)
    rng = np.random.default_rng(1)
    y: Table = np.tanh(X[:, :8].mean(axis=1)) + _NOISE * rng.standard_normal(len(X), np.float32)
    train, held_out, queries = (slice(a, b) for a, b in zip([0, *ends], ends, strict=False))
    network = member(0, profile.n_epochs, 0).fit(X[train], y[train])
    few = slice(0, _ROWS_OF_MEMBERS)
    others = [member(i, 1, 0).fit(X[few], y[few]) for i in range(1, _N_MEMBERS)]
    return Given(
        X[train],
        y[train],
        (X[held_out], y[held_out]),
        X[queries],
        network,
        network.errors_,
        [network, *others],
    )


def batches(queries: Table, size: int, n: int) -> Iterator[Table]:
    """Give so many batches; each has other rows than the one before."""
    n_whole = len(queries) // size
    for number in range(n):
        start = size * (number % n_whole)
        yield queries[start : start + size]
