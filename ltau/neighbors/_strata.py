"""The classes of the training samples, each scaled by what was learnt of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ltau.neighbors._base import Latents, Vectors
from ltau.neighbors._exploded import refuse_exploded
from ltau.neighbors._scaling import LatentScaler
from ltau.neighbors._storage import Storage, plan

__all__ = [
    "ScaledStratum",
    "log_lengths",
    "rounding_floor",
    "scale_strata",
    "storage_of",
    "usual_length",
]

_CHUNK_ROWS = 1 << 14
_SPREAD_SHARE = 2.0**-17


@dataclass(frozen=True)
class ScaledStratum:
    """One class of samples, scaled by what was learnt of it.

    Parameters
    ----------
    label : object
        The class; None where there are no classes.
    rows : ndarray of shape (n,), intp
        Numbers of the samples.
    scaler : LatentScaler
        The scaling.
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        Their scaled latents.
    floor : float
        Distance below which two of them coincide, by rounding.
    n_samples : int
        Number of training samples, or of prototypes, that the vectors stand for.
    """

    label: object
    rows: NDArray[np.intp]
    scaler: LatentScaler
    vectors: Vectors
    floor: float
    n_samples: int


def scale_strata(
    latents: Latents,
    strata: NDArray[np.generic] | None,
    scaling: str,
    *,
    kind: str = "auto",
    memory_limit: int | None = None,
) -> list[ScaledStratum]:
    """Learn a scaling of each stratum, and scale it.

    Parameters
    ----------
    latents : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        The latents.
    strata : ndarray of shape (n_samples,) or None
        Class of each sample.
    scaling : {"none", "standardize", "whiten"}
        As in `LatentScaler.fit`.
    kind : str, default="auto"
        Kind of index that they are for, as in `make_index`.
    memory_limit : int, optional
        Bytes that the indices may take in memory. Where the vectors do not fit they are
        kept in a temporary file, as `storage` says.

    Returns
    -------
    list of ScaledStratum
        The strata, sorted by their labels; a single one where there are no classes.

    Raises
    ------
    ValueError
        If there are not as many classes as latents, the scaling is unknown, or a few rows
        are so far away that the others of their stratum cannot be told apart.
    """
    if strata is not None and strata.shape != (len(latents),):
        raise ValueError(f"Expected strata of shape ({len(latents)},), got {strata.shape}.")
    if strata is None:
        members: list[tuple[object, NDArray[np.intp]]] = [(None, np.arange(len(latents)))]
    else:
        classes, codes = np.unique(strata, return_inverse=True)
        members = [(label, np.flatnonzero(codes == code)) for code, label in enumerate(classes)]
    scaled = []
    for label, rows in members:
        selected = latents if label is None else latents[rows]
        refuse_exploded(selected, rows, scaling)
        scaler = LatentScaler.fit(selected, scaling)
        storage = storage_of(kind, selected.shape, len(latents), memory_limit)
        vectors = scaler.transform(selected, storage.room(selected.shape))
        floor = _rounding(selected, scaler, vectors)
        scaled.append(ScaledStratum(label, rows, scaler, vectors, floor, len(rows)))
    return scaled


def _rounding(latents: Latents, scaler: LatentScaler, vectors: Vectors) -> float:
    """Find the distance of scaled latents that is rounding."""
    size, spread = np.sqrt(_mean_squares(latents)), usual_length(*log_lengths(vectors))
    return rounding_floor(scaler, size, spread, latents.dtype)


def rounding_floor(
    scaler: LatentScaler, size: NDArray[np.float64], spread: float, dtype: DTypeLike
) -> float:
    """Find the distance of scaled latents that is rounding: their own, or beside their spread.

    A model gives a sample's latents with other last digits in another batch: a few
    millionths of the spread mean nothing, nor does less than twice the rounding of the
    latents themselves, as magnified by the scaling.

    Parameters
    ----------
    scaler : LatentScaler
        The scaling.
    size : ndarray of shape (n_features,), float64
        Root mean square of each feature of the latents.
    spread : float
        Length of the scaled latents, as `usual_length` gives it.
    dtype : dtype
        Type of the latents, in which they were rounded.

    Returns
    -------
    float
        The distance.
    """
    rounded = np.finfo(dtype).eps * size
    magnified = scaler.transform(scaler.mean + np.diag(rounded)).astype(np.float64)
    return float(max(2 * np.sqrt((magnified**2).sum()), _SPREAD_SHARE * spread))


def log_lengths(vectors: Vectors) -> tuple[float, int]:
    """Sum the logarithms of the lengths of vectors, of those that have one, and count these.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32
        The vectors.

    Returns
    -------
    total : float
        The sum.
    n : int
        How many are not 0.
    """
    total, n = 0.0, 0
    for start in range(0, len(vectors), _CHUNK_ROWS):
        block = vectors[start : start + _CHUNK_ROWS].astype(np.float64)
        squares = np.einsum("nf,nf->n", block, block)
        logs = 0.5 * np.log(squares[squares > 0])
        total, n = total + float(logs.sum()), n + len(logs)
    return total, n


def usual_length(log_total: float, n: int) -> float:
    """Give the geometric mean of lengths: a few that are far too long change it little.

    Parameters
    ----------
    log_total : float
        Sum of their logarithms.
    n : int
        Their number.

    Returns
    -------
    float
        The mean; 0 of none.
    """
    return float(np.exp(log_total / n)) if n else 0.0


def _mean_squares(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average the squares of each column, in blocks."""
    total = np.zeros(rows.shape[1])
    for start in range(0, len(rows), _CHUNK_ROWS):
        block = rows[start : start + _CHUNK_ROWS].astype(np.float64)
        total += np.einsum("nf,nf->f", block, block)
    return total / len(rows)


def storage_of(
    kind: str, shape: tuple[int, ...], n_samples: int, memory_limit: int | None
) -> Storage:
    """Plan for a stratum's share of the memory."""
    return plan(
        kind, shape, None if memory_limit is None else int(memory_limit) * shape[0] // n_samples
    )
