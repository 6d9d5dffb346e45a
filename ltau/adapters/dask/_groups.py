"""Groups of training samples in blocks: their names, and that no stratum is of one alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from dask import delayed
from dask.delayed import Delayed
from distributed import Client
from numpy.typing import NDArray

from ltau._inputs.labels import check_groups, refuse_one_group
from ltau.adapters.dask._cluster import gather
from ltau.adapters.dask._shard import Labels, rows_by_stratum

__all__ = ["as_groups", "find_groups", "numbers_of"]


def as_groups(groups: NDArray[Any]) -> Labels | None:
    """Check the groups of a block."""
    return check_groups(groups, len(groups)) if len(groups) else groups


def find_groups(blocks: list[tuple[Delayed, Any]], sizes: dict[Any, int], client: Client) -> Labels:
    """Find the groups of all blocks.

    Parameters
    ----------
    blocks : list of (groups, classes)
        Of the training samples; classes are None where there are no strata.
    sizes : dict of label to int
        Number of samples of each stratum.
    client : distributed.Client
        Client of the cluster.

    Returns
    -------
    ndarray of shape (n_groups,)
        Their labels, ascending.

    Raises
    ------
    ValueError
        If all samples of a stratum, or all there are, are in one group.
    """
    parts = gather(client, [delayed(_names)(*block) for block in blocks])
    of_strata = []
    for stratum, n_samples in sizes.items():
        of_blocks = [part[stratum] for part in parts if stratum in part]
        names = np.unique(np.concatenate(of_blocks))
        if len(names) == 1:
            refuse_one_group(n_samples, names[0], stratum)
        of_strata.append(names)
    return np.unique(np.concatenate(of_strata))


def numbers_of(groups: Labels, names: Labels) -> NDArray[np.intp]:
    """Give groups their numbers, from 0."""
    return np.searchsorted(names, groups) if len(groups) else np.empty(0, np.intp)


def _names(groups: Labels, classes: Labels | None) -> dict[Any, Labels]:
    """Give the groups of each stratum in a block."""
    known = () if classes is None else np.unique(classes).tolist()
    return {
        stratum: np.unique(groups[rows])
        for stratum, rows in rows_by_stratum(classes, len(groups), known).items()
    }
