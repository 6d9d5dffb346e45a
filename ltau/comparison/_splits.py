"""Folds, and rows held out of a training: whole groups at a time, where there are groups."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, check_cv

from ltau.comparison._rows import Rows

__all__ = ["Split", "folds_of", "hold_out", "make_splits"]

Split = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows to train on, rows to test on


def make_splits(cv: Any, rows: Rows, random_state: int) -> list[Split]:
    """Make the folds of a comparison.

    Parameters
    ----------
    cv : int, splitter or list of (train, test)
        A number of folds, at least 2, or what makes them, or their rows.
    rows : Rows
        All rows.
    random_state : int
        Seed of random folds.

    Returns
    -------
    list of (train, test)
        Row numbers.

    Raises
    ------
    ValueError
        If there are fewer groups than folds, or a fold is empty.
    """
    if isinstance(cv, Integral):
        return folds_of(int(cv), rows, random_state)
    splits = [
        (np.asarray(train, np.intp), np.asarray(test, np.intp))
        for train, test in check_cv(cv).split(rows.X, rows.y, rows.groups)
    ]
    if not splits or not all(len(train) and len(test) for train, test in splits):
        raise ValueError("Expected folds with rows to train on and rows to test on, got none.")
    return splits


def folds_of(n_folds: int, rows: Rows, seed: int) -> list[Split]:
    """Draw folds at random; rows of a group lie in the same one."""
    if n_folds < 2:
        raise ValueError(f"Expected at least 2 folds, got {n_folds}.")
    if rows.groups is None:
        return list(KFold(n_folds, shuffle=True, random_state=seed).split(rows.X))
    n_groups = len(np.unique(rows.groups))
    if n_groups < n_folds:
        raise ValueError(f"Expected at least {n_folds} groups for {n_folds} folds, got {n_groups}.")
    splitter = GroupKFold(n_folds, shuffle=True, random_state=seed)
    return list(splitter.split(rows.X, groups=rows.groups))


def hold_out(rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Divide rows at random: to train on, and a share to hold out."""
    n = len(rows.y)
    if rows.groups is None:
        shuffled = np.random.default_rng(seed).permutation(n)
        train, held_out = np.split(shuffled, [n - round(share * n)])
    else:
        splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
        train, held_out = next(splitter.split(rows.X, groups=rows.groups))
    return rows.take(train), rows.take(held_out)
