"""The folds that a user asks for: each sample held out once, and groups kept together."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, check_cv

__all__ = ["Split", "make_splits"]

Rows = NDArray[np.intp]
Split = tuple[Rows, Rows]


def make_splits(
    cv: Any,
    X: Any,
    y: NDArray[np.float64],
    groups: NDArray[np.generic] | None,
    random_state: int | None,
) -> list[Split]:
    """Find the rows that each fold trains on, and those that it holds out.

    Parameters
    ----------
    cv : int, splitter of scikit-learn, or sequence of (train, test)
        Number of folds, what makes them, or the folds.
    X, y
        The samples and their targets.
    groups : ndarray of shape (n_samples,) or None
        Group of each sample.
    random_state : int or None
        Seed of the folds, where `cv` is a number and there are no groups.

    Returns
    -------
    list of (seen, held_out)
        Rows of each fold.

    Raises
    ------
    ValueError
        If a sample is not held out exactly once, by a model that has seen neither it nor
        another of its group.
    """
    if isinstance(cv, Integral):
        shuffled = KFold(int(cv), shuffle=True, random_state=random_state)
        splitter = shuffled if groups is None else GroupKFold(int(cv))
    else:
        splitter = check_cv(cv)
    splits = [(np.asarray(a), np.asarray(b)) for a, b in splitter.split(X, y, groups)]
    _check_held_out_once(splits, len(y))
    for seen, held_out in splits:
        if np.isin(held_out, seen).any():
            raise ValueError("Expected folds that do not train on what they hold out.")
        if groups is not None and np.isin(groups[held_out], groups[seen]).any():
            raise ValueError(
                "Expected folds that keep groups together, as GroupKFold makes them; got one "
                f"that trains on groups of which it holds samples out: {cv!r}."
            )
    return splits


def _check_held_out_once(splits: Sequence[Split], n_samples: int) -> None:
    times = np.bincount(np.concatenate([held_out for _, held_out in splits]), minlength=n_samples)
    never, often = np.count_nonzero(times == 0), np.count_nonzero(times > 1)
    if never or often or len(times) > n_samples:
        raise ValueError(
            "Expected folds that hold each sample out once, as those of KFold and GroupKFold; "
            f"of {n_samples} samples, {never} are never held out and {often} more than once."
        )
