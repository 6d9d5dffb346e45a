"""Which samples to label next: uncertain ones, and not all of a kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans

__all__ = ["select"]

Floats = NDArray[np.float64]


def select(
    candidates: ArrayLike | Iterable[Any],
    n: int,
    uncertainty: ArrayLike | None = None,
    *,
    oversampling: int = 10,
    random_state: int | None = None,
) -> NDArray[np.intp]:
    """Choose samples for the next round of labelling by diverse mini-batch active learning.

    The ``oversampling * n`` most uncertain candidates are clustered into `n` clusters by
    k-means in latent space, weighted with their uncertainty; the candidate nearest to
    each centre, within its cluster, is chosen.

    Parameters
    ----------
    candidates : array-like of shape (n_candidates, n_features), or iterable of frames
        Latents of the candidates; scale them if their features differ in importance. Or
        structures such as `ase.Atoms`, whose ``arrays`` hold ``"latents"`` and
        ``"forces_uncertainty"``, as the calculators of this library leave them with
        ``keep_latents=True``; a structure then counts as its most uncertain atom, by
        that atom's latents and uncertainty.
    n : int
        Number of candidates to choose.
    uncertainty : array-like of shape (n_candidates,), optional
        Uncertainty of each candidate, non-negative, such as its expected error. Frames
        carry their own.
    oversampling : int, default=10
        How many times more candidates than needed are clustered: 1 chooses the most
        uncertain ones, larger numbers give more weight to diversity.
    random_state : int or None, default=None
        Seed of k-means.

    Returns
    -------
    ndarray of shape (n,), intp
        Rows of the candidates, all different, the most uncertain ones first. Candidates
        without uncertainty, and duplicates in latent space, are chosen only where there are
        not enough others.

    Raises
    ------
    TypeError
        If an uncertainty is given with frames, or none with latents.
    ValueError
        If there are fewer candidates than asked for; shapes or values are not as
        described; or a frame lacks an array.

    References
    ----------
    Zhdanov, "Diverse mini-batch Active Learning", 2019, arXiv:1901.05954, whose
    prefilter factor β is `oversampling`.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.selection import select
    >>> latents = [[0.0], [0.1], [0.2], [5.0], [9.0]]
    >>> uncertainty = [0.8, 0.9, 0.7, 0.1, 0.6]
    >>> select(latents, 2, uncertainty, oversampling=1)     # the two most uncertain
    array([1, 0])
    >>> select(latents, 2, uncertainty, oversampling=2, random_state=0)
    array([1, 4])
    """
    latents, weights = _check_candidates(candidates, uncertainty)
    for name, value in {"n": n, "oversampling": oversampling}.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"Expected {name} to be an integer >= 1, got {value!r}.")
    if n > len(latents):
        raise ValueError(f"Expected at least n = {n} candidates, got {len(latents)}.")
    falling = np.argsort(-weights, kind="stable")
    pool = falling[: oversampling * n]
    pool = pool[weights[pool] > 0]
    central = pool[_central(latents[pool], weights[pool], n, random_state)]
    others = falling[~np.isin(falling, central)]  # where there are too few distinct ones
    chosen = np.concatenate([central, others[: n - len(central)]])
    return falling[np.isin(falling, chosen)]


def _central(
    latents: Floats, weights: Floats, n: int, random_state: int | None
) -> NDArray[np.intp]:
    """Find the rows nearest to the centres of at most `n` weighted clusters."""
    if not len(latents):
        return np.empty(0, np.intp)
    n_clusters = min(n, len(np.unique(latents - latents.mean(axis=0), axis=0)))
    clusters = KMeans(n_clusters, n_init=1, random_state=random_state)
    labels = clusters.fit(latents, sample_weight=weights).labels_
    distances = np.linalg.norm(latents - clusters.cluster_centers_[labels], axis=1)
    by_cluster = np.lexsort((distances, labels))
    _, first = np.unique(labels[by_cluster], return_index=True)
    return by_cluster[first]


def _check_candidates(
    candidates: ArrayLike | Iterable[Any], uncertainty: ArrayLike | None
) -> tuple[Floats, Floats]:
    """Give latents and uncertainty of each candidate, once they are known to be such."""
    if hasattr(candidates, "arrays"):
        raise TypeError("Expected several frames, such as a list of them, got a single one.")
    if not hasattr(candidates, "__array__"):
        candidates = list(candidates)  # type: ignore[arg-type]
    if isinstance(candidates, list) and candidates and hasattr(candidates[0], "arrays"):
        if uncertainty is not None:
            raise TypeError("Expected no uncertainty with frames: it is in their arrays.")
        return _most_uncertain_atoms(candidates)
    if uncertainty is None:
        raise TypeError("Expected an uncertainty of each row of latents, got none.")
    latents = np.asarray(candidates, dtype=np.float64)
    weights = np.asarray(uncertainty, dtype=np.float64)
    _check_values(latents, weights)
    return latents, weights


def _most_uncertain_atoms(frames: Iterable[Any]) -> tuple[Floats, Floats]:
    """Take each frame's most uncertain atom."""
    latents, weights = [], []
    for number, frame in enumerate(frames):
        missing = [name for name in ("latents", "forces_uncertainty") if name not in frame.arrays]
        if missing:
            raise ValueError(
                f"Expected frames whose arrays hold latents and forces_uncertainty, got frame "
                f"{number} without {' and '.join(missing)}. Calculators of ltau leave them with "
                "keep_latents=True."
            )
        of_atoms = np.asarray(frame.arrays["forces_uncertainty"], dtype=np.float64)
        # Files give one column of latents as one dimension.
        rows = np.asarray(frame.arrays["latents"], dtype=np.float64).reshape(len(of_atoms), -1)
        try:
            _check_values(rows, of_atoms)
        except ValueError as error:
            raise ValueError(f"Frame {number}: {error}") from error
        worst = of_atoms.argmax()
        latents.append(rows[worst])
        weights.append(of_atoms[worst])
    widths = sorted({len(row) for row in latents})
    if len(widths) > 1:
        raise ValueError(f"Expected latents of one width in all frames, got {widths}.")
    return np.array(latents), np.array(weights)


def _check_values(latents: Floats, weights: Floats) -> None:
    if latents.ndim != 2 or not latents.size or weights.shape != latents.shape[:1]:
        raise ValueError(
            "Expected latents of shape (n, n_features) and uncertainty of shape (n,), "
            f"got {latents.shape} and {weights.shape}."
        )
    if not np.isfinite(latents).all():
        raise ValueError("Expected finite latents, got NaN or infinity.")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("Expected finite, non-negative uncertainty, got other values.")
