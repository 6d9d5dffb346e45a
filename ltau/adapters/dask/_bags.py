"""How wrong a NequIP model's forces are, for bags of structures."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from dask import delayed
from dask.bag import Bag

from ltau.adapters.dask._estimator import DaskEstimator
from ltau.estimator import LTAUEstimator

if TYPE_CHECKING:
    from ase import Atoms

    from ltau.adapters.nequip import NequIPModel

__all__ = ["predict_frames"]


def predict_frames(
    frames: Bag,
    model: str | os.PathLike[str],
    estimator: DaskEstimator,
    *,
    level: float = 0.9,
    tolerance: float | None = None,
    batch_size: int = 32,
    device: str = "cpu",
) -> Bag:
    """Predict the force errors of the atoms of many structures.

    Each worker process loads the model once. It needs the extra ``nequip``.

    Parameters
    ----------
    frames : dask.bag.Bag of ase.Atoms
        The structures.
    model : str or path-like
        Path of a model as in `ltau.adapters.nequip.load_model`, the same on all workers.
        Loading one runs code that the file holds: give only files that you trust.
    estimator : DaskEstimator
        Fitted on the errors of the model's forces, if with strata then of elements.
    level : float, default=0.9
        Probability with which the error stays below ``forces_uncertainty_upper``.
    tolerance : float, optional
        A force error, in eV/Å; if given, the results have the probability of a larger one.
    batch_size : int, default=32
        Structures that go through the model at once.
    device : str, default="cpu"
        Where the workers run the model.

    Returns
    -------
    dask.bag.Bag of dict
        The results of each structure, as `ltau.adapters.ase.Uncertainty` gives them; NaN where
        no atom of a structure has a neighbour within the model's cutoff.

    Raises
    ------
    TypeError, ValueError
        If frames are no bag, or as `ltau.adapters.ase.Uncertainty`. When they are computed:
        as `ltau.adapters.nequip.latents`.

    Examples
    --------
    >>> import dask.bag
    >>> from ase.io import iread
    >>> from ltau.adapters.dask import predict_frames
    >>> frames = dask.bag.from_sequence(iread("new.extxyz"), npartitions=8)  # doctest: +SKIP
    >>> results = predict_frames(frames, "model.nequip.zip", estimator)      # doctest: +SKIP
    >>> results.pluck("forces_uncertainty_max").compute()                    # doctest: +SKIP
    [0.11, 0.09, 0.31]
    """
    from ltau.adapters.ase import Uncertainty

    if not isinstance(frames, Bag):
        raise TypeError(f"Expected frames in a Dask bag, got {type(frames).__name__}.")
    options: dict[str, Any] = {"level": level, "tolerance": tolerance}
    Uncertainty(estimator.estimator, **options)  # says now what is wrong with them
    return frames.map_partitions(
        _predict_partition,
        str(Path(model).absolute()),
        delayed(estimator.remote),
        options=options,
        batch_size=batch_size,
        device=device,
    )


def _predict_partition(
    frames: list[Atoms],
    path: str,
    estimator: LTAUEstimator,
    options: dict[str, Any],
    batch_size: int,
    device: str,
) -> list[dict[str, Any]]:
    from ltau.adapters.ase import Uncertainty
    from ltau.adapters.nequip import latents
    from ltau.structures import environment_cutoff

    frames = list(frames)
    if not frames:
        return []
    model = _load(path, os.stat(path).st_mtime_ns, device)
    cutoff = environment_cutoff(estimator)
    rows = latents(model, frames, batch_size=batch_size, environment=cutoff)
    ends = np.cumsum([len(atoms) for atoms in frames])[:-1]
    uncertainty = Uncertainty(estimator, **options)
    return [
        uncertainty.unknown(part) if np.isnan(part).all() else uncertainty.predict(part, atoms)
        for part, atoms in zip(np.split(rows, ends), frames, strict=True)
    ]


@lru_cache(maxsize=1)
def _load(path: str, modified: int, device: str) -> NequIPModel:
    """Load a model that this process has not loaded since it was written."""
    from ltau.adapters.nequip import load_model

    return load_model(path, device=device)
