"""Checks of Dask arrays, before any task is made of them."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import ArrayLike

from ltau._errors.checks import n_burnt_in
from ltau._inputs.labels import as_labels
from ltau._inputs.missing import fill_masked
from ltau._inputs.outputs import as_outputs, refuse_shape
from ltau.log import ErrorLog

__all__ = ["check_errors", "check_latents", "check_outputs", "check_rows"]


def check_latents(X: da.Array, n_features: int | None = None) -> da.Array:
    """Check that latents are in blocks of whole rows, whose numbers are known."""
    _check_blocks(X, "latents", "n_features")
    if n_features is not None and X.shape[1] != n_features:
        raise ValueError(f"Expected latents of {n_features} features, got {X.shape[1]}.")
    return X


def check_errors(y: da.Array | ErrorLog, rows: tuple[int, ...], burn_in: float) -> da.Array:
    """Chunk error trajectories by samples, without the burn-in.

    Parameters
    ----------
    y : dask.array.Array of shape (n_samples, n_epochs), or ErrorLog
        The errors.
    rows : tuple of int
        Number of samples of each block.
    burn_in : float or int
        First epochs to leave out.

    Returns
    -------
    dask.array.Array of shape (n_samples, n_epochs - burn_in)
        The errors, an epoch of a log being read where and when a block is computed.
    """
    if not isinstance(y, ErrorLog | da.Array):
        raise TypeError(
            f"Expected errors in an ErrorLog or a Dask array, got {type(y).__name__}: "
            "LTAUEstimator.fit takes those in memory."
        )
    shape = y.shape  # once: a training may go on to write the log
    if len(shape) != 2 or shape[0] != sum(rows) or not shape[1]:
        raise ValueError(
            f"Expected errors of {sum(rows)} samples, as many as there are latents, at one epoch "
            f"or more, got shape {shape}."
        )
    epochs = slice(n_burnt_in(burn_in, shape[1]), shape[1])
    if isinstance(y, ErrorLog):
        y = da.from_array(y, chunks=(rows, -1), name=False)
    return y[:, epochs].rechunk((rows, -1))


def check_rows(values: ArrayLike | da.Array | None, X: da.Array, name: str) -> da.Array | None:
    """Chunk one value per sample as the latents are chunked."""
    if values is None:
        return None
    if isinstance(values, da.Array):
        array = values
    elif name in ("strata", "groups"):
        array = as_labels(values, name)
    else:
        array = np.asarray(fill_masked(values))
    if array.shape != X.shape[:1]:
        raise ValueError(f"Expected {name} of shape {X.shape[:1]}, got {array.shape}.")
    return da.asarray(array, chunks=X.chunks[:1]).rechunk(X.chunks[:1])


def check_outputs(
    values: ArrayLike | da.Array, X: da.Array, n_outputs: int | None, name: str
) -> da.Array:
    """Chunk targets or predictions as the latents are chunked.

    Parameters
    ----------
    values : array-like or dask.array.Array of shape (n_samples,) or (n_samples, n_outputs)
        The values; those of a Dask array are checked when they are computed.
    X : dask.array.Array of shape (n_samples, n_features)
        The latents.
    n_outputs : int or None
        Number of outputs, where it is known.
    name : str
        What they are, for the messages.

    Returns
    -------
    dask.array.Array of shape (n_samples, n_outputs)
        The values, in blocks of whole rows.
    """
    n_samples = len(X)
    if not isinstance(values, da.Array):
        values = as_outputs(values, n_samples, n_outputs, name)
    outputs = values[:, None] if values.ndim == 1 else values
    fits = outputs.ndim == 2 and outputs.shape[0] == n_samples and outputs.shape[1] > 0
    if not fits or n_outputs not in (None, outputs.shape[1]):
        refuse_shape(values.shape, n_samples, n_outputs, name)
    chunks = X.chunks[0], outputs.shape[1:]
    return da.asarray(outputs, chunks=chunks).rechunk(chunks)


def _check_blocks(array: Any, name: str, columns: str) -> None:
    if not isinstance(array, da.Array):
        raise TypeError(
            f"Expected {name} in a Dask array, got {type(array).__name__}: "
            "dask.array.from_array makes one."
        )
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"Expected {name} of shape (n_samples, {columns}), got {array.shape}.")
    if np.isnan(array.shape).any():
        raise ValueError(
            f"Expected {name} in chunks of known sizes, got {array.chunks}: "
            "call compute_chunk_sizes() first."
        )
    if array.numblocks[1] != 1:
        raise ValueError(
            f"Expected {name} in chunks of whole rows, got chunks of {array.chunks[1]} {columns}: "
            "rechunk({1: -1}) puts them together."
        )
