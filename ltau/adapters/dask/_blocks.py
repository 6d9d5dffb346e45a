"""Samples in blocks, each checked when it is computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask import delayed
from dask.delayed import Delayed

from ltau.adapters.dask import _tasks as tasks
from ltau.adapters.dask._groups import as_groups

__all__ = ["Block", "checked_blocks", "training_blocks"]


class Block(NamedTuple):
    """Training samples of one block; what is not given is None."""

    first: int  # row of its first sample in the training set
    latents: Delayed
    classes: Delayed | None
    targets: Delayed | None
    groups: Delayed | None
    errors: Delayed


def training_blocks(
    X: da.Array,
    errors: da.Array,
    scaling: str,
    *,
    strata: da.Array | None,
    targets: da.Array | None,
    groups: da.Array | None,
) -> list[Block]:
    """Pair the blocks of all that is given of training samples."""
    firsts = np.cumsum((0, *X.chunks[0][:-1])).tolist()
    given = zip(
        firsts,
        checked_blocks(X, strata),
        _each(X, targets, tasks.as_targets),
        _each(X, groups, as_groups),
        errors.to_delayed().ravel(),
        strict=True,
    )
    return [
        Block(first, delayed(tasks.checked)(first, latents, scaling), classes, *others)
        for first, (latents, classes), *others in given
    ]


def checked_blocks(X: da.Array, classes: da.Array | None) -> list[tuple[Delayed, Delayed | None]]:
    """Pair the blocks of latents and of strata."""
    latents = [delayed(tasks.as_latents)(block) for block in X.to_delayed().ravel()]
    return list(zip(latents, _each(X, classes, tasks.as_strata), strict=True))


def _each(X: da.Array, array: da.Array | None, check: Any) -> list[Delayed | None]:
    """Check each block of an array that may not be given."""
    if array is None:
        return [None] * X.numblocks[0]
    return [delayed(check)(block) for block in array.to_delayed().ravel()]
