"""What every method is given: a trained model's samples, in its domain and beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

__all__ = ["IN_DOMAIN", "SYSTEM", "Domain", "Samples"]

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]

IN_DOMAIN = "in domain"  # the name of the test set without a shift
SYSTEM = "system"  # in the `info` of a structure: what it is of, where several are of one


class Samples(NamedTuple):
    """Samples, with what the model makes of them; for atoms, the structure they are in."""

    latents: Float32s  # (n, n_features)
    errors: Floats  # (n,), of the finished model
    structures: Ints  # (n,)
    classes: Ints | None  # (n,), for atoms the elements
    spreads: Mapping[str, Floats]  # (n,) of further models, by the method that needs them
    targets: Floats | None = None  # (n,), in the unit of the errors, where they are scalars
    y_pred: Floats | None = None  # (n,), what the model predicts for them
    systems: Ints | None = None  # (n,), what structures are independent; each by default
    frames: Sequence[Atoms] | None = None  # the structures, where samples are their atoms

    @property
    def groups(self) -> Ints:
        """Samples of one group are not independent, shape (n,)."""
        return self.structures if self.systems is None else self.systems


@dataclass(frozen=True)
class Domain:
    """One trained model: where it learnt, where it is calibrated, and where it is tested.

    Parameters
    ----------
    train : Samples
        What the model learnt from; their errors are those at the end.
    trajectories : mapping of str to ndarray of shape (n_train, n_epochs)
        Their errors while it trained: ``"step"``, of the training steps; ``"eval"``, after
        each epoch.
    validation : Samples
        Held out, from the same domain.
    tests : mapping of str to Samples
        Test sets: `IN_DOMAIN`, and each shift.
    training_seconds : float
        Processor time of the training.
    pass_seconds : float
        Processor time of the model's pass over a test sample.
    trainings, passes : mapping of str to int
        How many models a method with spreads trains, and how often a sample passes through.
    unit : str
        Unit of the errors.
    """

    train: Samples
    trajectories: Mapping[str, Float32s]
    validation: Samples
    tests: Mapping[str, Samples]
    training_seconds: float
    pass_seconds: float
    trainings: Mapping[str, int]
    passes: Mapping[str, int]
    unit: str
