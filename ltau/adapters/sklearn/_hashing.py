"""Signed feature hashing: many columns reduced to 64 that keep the distances between rows.

Weinberger, Dasgupta, Langford, Smola and Attenberg, "Feature Hashing for Large Scale
Multitask Learning", ICML 2009, arXiv:0902.2206.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils import murmurhash3_32

__all__ = ["hash_columns", "hash_leaves"]

_WIDTH = 64  # squared distances are right to 18 %
_SIGN = 1 << 31  # the bit of a hash that gives the sign; the lowest bits give the column


def hash_leaves(leaves: NDArray[np.int32]) -> NDArray[np.float32]:
    """Add up, over the trees, a sign in a column, both drawn by hashing tree and leaf.

    Parameters
    ----------
    leaves : ndarray of shape (n_samples, n_trees), int32
        The leaf of each sample in each tree.

    Returns
    -------
    ndarray of shape (n_samples, 64), float32
        Their squared distance is about the share of the trees in which the leaves differ.
    """
    n_samples, n_trees = leaves.shape
    hashed = np.zeros((n_samples, _WIDTH), np.float32)
    rows = np.arange(n_samples)
    for tree in range(n_trees):
        column, sign = _draw(leaves[:, tree].copy(), tree)
        hashed[rows, column] += sign
    return hashed / np.float32(np.sqrt(2 * n_trees))  # a tree that differs adds 2 to d²


def hash_columns(features: Any) -> NDArray[np.floating[Any]]:
    """Add up, over the columns, what they hold, with a sign and into a column that are drawn.

    Parameters
    ----------
    features : ndarray or sparse matrix of shape (n_samples, n_columns)
        Numbers. Up to 64 columns are left as they are.

    Returns
    -------
    ndarray of shape (n_samples, at most 64)
        Rows of about the same squared distances.
    """
    n_columns = features.shape[1]
    if n_columns > _WIDTH:
        column, sign = _draw(np.arange(n_columns, dtype=np.int32), 0)
        shape = n_columns, _WIDTH
        features = features @ csr_array((sign, (np.arange(n_columns), column)), shape=shape)
    return features.toarray() if issparse(features) else features


def _draw(numbers: NDArray[np.int32], seed: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Draw a column and a sign for each number, the same for the same one."""
    draws = murmurhash3_32(numbers, seed=seed, positive=True)
    return draws % _WIDTH, np.where(draws & _SIGN, 1, -1)
