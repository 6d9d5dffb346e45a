"""Which systems train a model, and which it relaxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.is2rs.sources.systems import SPLITS, DataError

__all__ = ["Fold", "folds", "one_for_all"]

_N_FOLDS = 4


class Fold(NamedTuple):
    """One model: the names of the systems that it learns from, and of those that it relaxes."""

    name: str
    train: tuple[str, ...]
    relax: tuple[str, ...]


def folds(splits: Mapping[str, Sequence[str]]) -> list[Fold]:
    """Split systems, never the frames of one.

    Parameters
    ----------
    splits : mapping of str to sequence of str
        The names of the systems of each split.

    Returns
    -------
    list of Fold
        One, which learns from ``train`` and relaxes `SPLITS`. Where there are no splits, four: each
        system is relaxed by the one model of them that has not learnt from it.

    Raises
    ------
    DataError
        If there is nothing to relax, or too little to learn from.
    """
    if relaxed := _names(splits, SPLITS):
        return [Fold("model", _names(splits, ("train",)), relaxed)]
    every = _names(splits, ("all",))
    if len(every) < _N_FOLDS:
        raise DataError(
            f"Expected systems of the splits {', '.join(SPLITS)}, or at least {_N_FOLDS} without a "
            f"split, got { {split: len(names) for split, names in splits.items()} }."
        )
    parts = np.array_split(np.random.default_rng(0).permutation(sorted(every)), _N_FOLDS)
    return [
        Fold(
            f"fold-{number}",
            tuple(sid for other in parts if other is not part for sid in other.tolist()),
            tuple(part.tolist()),
        )
        for number, part in enumerate(parts)
    ]


def one_for_all(splits: Mapping[str, Sequence[str]]) -> Fold:
    """Let a model that is trained already relax all that is not there to train on."""
    relaxed = _names(splits, (*SPLITS, "all"))
    if not relaxed:
        raise DataError(f"Expected systems to relax, got none but of {', '.join(splits)}.")
    return Fold("given", (), relaxed)


def _names(splits: Mapping[str, Sequence[str]], chosen: Sequence[str]) -> tuple[str, ...]:
    return tuple(sid for split in chosen for sid in splits.get(split, ()))
