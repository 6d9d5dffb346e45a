"""What a model predicts, or should have: a row of outputs for each sample."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.numbers import as_real

__all__ = ["as_outputs", "check_predictions_given", "refuse_shape"]


_LARGEST = 1e100  # beyond, squared distances overflow


def as_outputs(
    values: ArrayLike, n_samples: int, n_outputs: int | None, name: str
) -> NDArray[np.float64]:
    """Convert to a row for each sample.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets or predictions; those of one output may be a vector.
    n_samples : int
        Number of samples.
    n_outputs : int or None
        Number of outputs, where it is known.
    name : str
        What they are, for the messages.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), float64
        The values.

    Raises
    ------
    ValueError
        If they are of another shape, no real numbers, NaN, infinite, or larger than 1e100.
    """
    array = as_real(values, name).astype(np.float64, copy=False)
    outputs = array[:, None] if array.ndim == 1 else array
    fits = outputs.ndim == 2 and len(outputs) == n_samples and outputs.shape[1] > 0
    if not fits or (n_outputs is not None and outputs.shape[1] != n_outputs):
        refuse_shape(array.shape, n_samples, n_outputs, name)
    n_bad = np.count_nonzero(~np.isfinite(outputs))
    if n_bad:
        raise ValueError(f"Expected {name} without NaN or infinite values, got {n_bad}.")
    largest = np.abs(outputs).max(initial=0.0)
    if largest > _LARGEST:
        raise ValueError(f"Expected {name} of at most {_LARGEST:g}, got {largest:g}.")
    return outputs


def refuse_shape(
    shape: tuple[int, ...], n_samples: int, n_outputs: int | None, name: str
) -> NoReturn:
    """Say which shape was expected, and which came.

    Parameters
    ----------
    shape : tuple of int
        What came.
    n_samples, n_outputs, name
        As in `as_outputs`.

    Raises
    ------
    ValueError
        Always.
    """
    shapes = [f"({n_samples},)"] if n_outputs in (None, 1) else []
    shapes += [] if n_outputs == 1 else [f"({n_samples}, {n_outputs or 'n_outputs'})"]
    raise ValueError(f"Expected {name} of shape {' or '.join(shapes)}, got shape {shape}.")


def check_predictions_given(given: bool, at_fit: bool) -> None:
    """Ask for predictions where there were targets at fit, and refuse them where there were none.

    Parameters
    ----------
    given : bool
        Whether there are predictions.
    at_fit : bool
        Whether there were targets.

    Raises
    ------
    ValueError
        If there is one without the other.
    """
    if given and not at_fit:
        raise ValueError("The estimator was fitted without targets: predict without y_pred.")
    if at_fit and not given:
        raise ValueError(
            "The estimator was fitted with targets: give y_pred, what the model predicts for "
            "these samples."
        )
