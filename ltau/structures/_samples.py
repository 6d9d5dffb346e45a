"""What an estimator of force errors learns from: atoms of structures, or structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ltau.log import ErrorLog
from ltau.structures._environment import environment_latents

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["StructureSamples"]


@dataclass(frozen=True, repr=False)
class StructureSamples:
    """Atoms of structures, or the structures as a whole, with the errors made on them.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        The structures.
    latents : ndarray of shape (n_atoms, n_features), float32
        A model's own latents of all their atoms, in this order.
    errors : ErrorLog or ndarray of shape (n_samples,) or (n_samples, n_epochs)
        Errors of the samples: trajectories for training samples, else what is observed.
    whole : bool, default=False
        Whether the samples are the structures, whose latents are the mean of their atoms',
        and not the atoms.

    Examples
    --------
    >>> import numpy as np
    >>> from ase import Atoms
    >>> from ltau.structures import StructureSamples
    >>> frames = [Atoms("OH2"), Atoms("H2")]
    >>> samples = StructureSamples(frames, np.zeros((5, 8), np.float32), np.ones((5, 20)))
    >>> samples.elements()
    array([8, 1, 1, 1, 1])
    >>> samples.groups()
    array([0, 0, 0, 1, 1])
    """

    frames: Sequence[Atoms]
    latents: NDArray[np.float32]
    errors: ErrorLog | NDArray[np.floating]
    whole: bool = False

    def __post_init__(self) -> None:
        frames = list(self.frames)
        object.__setattr__(self, "frames", frames)
        n_atoms = sum(map(len, frames))
        if not frames or not all(map(len, frames)):
            raise ValueError(f"Expected structures of atoms, got {len(frames)}, some without any.")
        if np.ndim(self.latents) != 2 or len(self.latents) != n_atoms:
            raise ValueError(
                f"Expected latents of shape ({n_atoms}, n_features), a row for each atom of the "
                f"frames, got shape {np.shape(self.latents)}."
            )
        n_samples = len(frames) if self.whole else n_atoms
        n_errors = self.errors.n_samples if isinstance(self.errors, ErrorLog) else len(self.errors)
        if n_errors != n_samples:
            raise ValueError(f"Expected errors of {n_samples} samples, got {n_errors}.")

    def __repr__(self) -> str:
        n_atoms, n_features = np.shape(self.latents)
        samples = f"n_structures={len(self.frames)}, n_atoms={n_atoms}, n_features={n_features}"
        return f"StructureSamples({samples}{', whole=True' if self.whole else ''})"

    def rows(self, environment: float | None) -> NDArray[np.float32]:
        """Give the latents of the samples.

        Parameters
        ----------
        environment : float or None
            Cutoff, in Å, of the environments that are a part of them.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, 3 * n_features), float32
            The latents.
        """
        atoms = self.latents
        if environment is not None:
            atoms = environment_latents(atoms, self.frames, environment)
        if not self.whole:
            return atoms
        starts = np.cumsum([0, *map(len, self.frames)])[:-1]
        sizes = np.array([[len(frame)] for frame in self.frames])
        sums = np.add.reduceat(atoms, starts, dtype=np.float64)
        return (sums / sizes).astype(np.float32)

    def elements(self) -> NDArray[np.int_] | None:
        """Give the atomic number of each sample.

        Returns
        -------
        ndarray of shape (n_samples,), or None
            The numbers; None where the samples are structures.
        """
        return None if self.whole else np.concatenate([frame.numbers for frame in self.frames])

    def groups(self, key: str | None = None) -> NDArray[np.generic]:
        """Give the group of each sample.

        Parameters
        ----------
        key : str, optional
            The entry of ``atoms.info`` that names it, an integer or a string; by default the
            structure.

        Returns
        -------
        ndarray of shape (n_samples,)
            The groups.

        Raises
        ------
        ValueError
            If a structure has no such entry.
        """
        of_frames = np.arange(len(self.frames)) if key is None else _entries(self.frames, key)
        return of_frames if self.whole else np.repeat(of_frames, list(map(len, self.frames)))


def _entries(frames: Sequence[Atoms], key: str) -> NDArray[np.generic]:
    """Read an entry of the structures' info, as labels of one kind."""
    lacking = [number for number, frame in enumerate(frames) if key not in frame.info]
    if lacking:
        raise ValueError(
            f"Expected {key!r} in the info of all structures, to group them by; {len(lacking)} "
            f"of {len(frames)} lack it: the first is frame {lacking[0]}, which has "
            f"{sorted(frames[lacking[0]].info)}."
        )
    values = [frame.info[key] for frame in frames]
    others = {type(v).__name__ for v in values if not isinstance(v, int | np.integer | str)}
    if others:
        raise ValueError(
            f"Expected {key!r} in the info of structures to be an integer or a string, got "
            f"{', '.join(sorted(others))}."
        )
    if all(isinstance(value, int | np.integer) for value in values):
        return np.array(values)
    return np.array(list(map(str, values)))  # a file holds the string "1" as a number
